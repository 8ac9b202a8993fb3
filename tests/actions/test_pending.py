"""The journal's header of a turn: its keys stay, and what an earlier version wrote is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.actions.turns.location import Location, new_conversation
from perdure.actions.turns.pending import PendingTurn, TurnKind, read_header
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Message, Reply

AT = datetime.fromisoformat("2026-03-01T20:15:00+01:00")
BEFORE = TurnId(ConversationId("2026-02-28-2015-0a1b2c3d"), 4)
FORMER = {
    "branch": "main",
    "base": "0123456789abcdef0123456789abcdef01234567",
    "conversation": "2026-03-01-2015-0a1b2c3d",
    "number": 7,
    "title": "Bread",
    "participants": ["Ana", "Mira"],
    "continues": "2026-02-28-2015-0a1b2c3d/4",
    "joins": ["2026-02-27-2015-0a1b2c3d/2"],
    "begins": True,
    "answers": False,
    "again": False,
    "speaker": "Mira",
    "message": {"speaker": "Ana", "text": "Hi\n", "at": "2026-03-01T20:15:00+01:00"},
    "greeting": {"speaker": "Mira", "text": "Hello.", "at": ""},
}
"""As every version so far has written it."""


def test_a_header_that_was_written_before_is_read_and_written_the_same() -> None:
    pending = read_header(FORMER)
    assert pending is not None
    assert pending.kind is TurnKind.NEW
    assert pending.turn_id == TurnId(ConversationId("2026-03-01-2015-0a1b2c3d"), 7)
    assert pending.location.head.ends == (BEFORE, TurnId.parse("2026-02-27-2015-0a1b2c3d/2"))
    assert pending.message == Message("Ana", "Hi\n", AT)
    assert pending.greeting == Reply("Mira", "Hello.")
    assert json.dumps(pending.to_header()) == json.dumps(FORMER)


@pytest.mark.parametrize(
    ("answers", "again", "kind"),
    [
        (False, False, TurnKind.NEW),
        (True, False, TurnKind.REPLY),
        (True, True, TurnKind.ANOTHER),
    ],
)
def test_the_two_marks_of_a_header_are_one_kind(
    *, answers: bool, again: bool, kind: TurnKind
) -> None:
    header = {**FORMER, "begins": False, "answers": answers, "again": again, "greeting": None}
    pending = read_header(header)
    assert pending is not None
    assert pending.kind is kind
    in_chunk = replace(pending.location, oid="0" * 40)
    assert replace(pending, location=in_chunk).to_header() == header


def test_a_header_without_what_later_versions_added_is_read() -> None:
    added = {"base", "joins", "again"}
    pending = read_header({key: value for key, value in FORMER.items() if key not in added})
    assert pending is not None
    assert (pending.base, pending.location.head.joins) == ("", ())


@pytest.mark.parametrize(
    "changes",
    [
        {"branch": "a..b"},
        {"number": -1},
        {"number": "7"},
        {"conversation": "none"},
        {"continues": "none"},
        {"joins": ["none"]},
        {"title": "\ud800"},
        {"participants": ["\ud800"]},
        {"message": {"speaker": "Ana", "text": "Hi", "at": "2026-03-01T20:15:00"}},
        {"message": "Hi"},
        {"answers": None},
    ],
)
def test_a_header_that_makes_no_sense_is_no_turn(changes: dict[str, object]) -> None:
    assert read_header({**FORMER, **changes}) is None


@given(
    kind=st.sampled_from(list(TurnKind)),
    number=st.integers(0, 10**6),
    text=st.text(min_size=1),
    title=st.text(st.characters(codec="utf-8")),
    greeting=st.none() | st.text(min_size=1).map(lambda text: Reply("Mira", text, AT)),
    continues=st.none() | st.just(BEFORE),
)
def test_any_turn_comes_back_from_its_header(
    *,
    kind: TurnKind,
    number: int,
    text: str,
    title: str,
    greeting: Reply | None,
    continues: TurnId | None,
) -> None:
    new = new_conversation(AT, title=title, participants=("Ana",), continues=continues)
    head = replace(new.head, started=None)
    oid = "1" * 40 if kind is TurnKind.ANOTHER else None
    location = Location(head, new.path, oid, b"", number, begins=oid is None)
    pending = PendingTurn(
        kind, location, Message("Ana", text, AT), "Mira", "main", greeting, "2" * 40
    )
    found = read_header(json.loads(json.dumps(pending.to_header())))
    assert found is not None
    assert replace(found, location=location) == pending
    assert found.location.head == head
    assert (found.turn_id, found.location.begins) == (pending.turn_id, location.begins)
