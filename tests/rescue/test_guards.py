"""What counts as lost, with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perdure.companion.conversation.chunk import chunk_path, render_chunk
from perdure.companion.ids import ConversationId
from perdure.companion.turns import ChunkHead, Message, Turn
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.rescue.guards import Losses, losses

AUTHOR = Author("Mira", "mira@companion.invalid")
PERSONA = {"persona/10-who.md": b"She is Mira.\n", "persona/20-voice.md": b"She hums.\n"}


def conversation(month: int, turns: int) -> tuple[str, bytes]:
    at = datetime(2026, month, 5, 9, 30, tzinfo=UTC)
    identity = ConversationId(f"2026-{month:02}-05-0930-9f3a77c{month:x}")
    head = ChunkHead(identity, 1, participants=("Ana", "Mira"), started=at)
    said = [Turn(n, Message("Ana", f"word {n}", at), ()) for n in range(1, turns + 1)]
    return chunk_path(identity, 1, at.date()), render_chunk(head, said)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    files = dict([conversation(1, 8), conversation(2, 12)])
    return create_repository(
        tmp_path / "mira", {**PERSONA, **files}, message="begin\n", author=AUTHOR
    )


def after(repo: Repository, changes: Mapping[str, bytes | None]) -> Losses:
    before = repo.resolve("HEAD")
    commit = repo.commit(
        [Change(path, data) for path, data in changes.items()],
        message="edit: something\n", author=AUTHOR, branch="main",
    )  # fmt: skip
    return losses(repo, before, commit)


@pytest.mark.parametrize(("left", "asks"), [(12, False), (10, False), (9, True)])
def test_a_tenth_of_the_turns_may_go(repo: Repository, left: int, *, asks: bool) -> None:
    gone = after(repo, dict([conversation(2, left)]) if left < 12 else {"lore/a.md": b"A.\n"})
    assert (gone.turns, gone.ask) == (12 - left, asks)
    if asks:
        assert str(gone) == "3 of 20 turns"


def test_a_month_without_any_conversation(repo: Repository) -> None:
    gone = after(repo, {conversation(1, 8)[0]: None})
    assert gone.months == ("2026-01",)
    assert gone.ask
    assert str(gone) == "8 of 20 turns and all conversations of 2026-01"


def test_a_file_of_the_persona_and_not_one_that_was_renamed(repo: Repository) -> None:
    gone = after(repo, {"persona/20-voice.md": None, "persona/25-voice.md": b"She hums.\n"})
    assert not gone.ask
    gone = after(repo, {"persona/10-who.md": None})
    assert (gone.persona, str(gone)) == (("persona/10-who.md",), "persona/10-who.md")


def test_a_turn_that_went_into_another_chunk_is_not_lost(repo: Repository) -> None:
    path, data = conversation(2, 12)
    head, _, rest = data.partition(b"\n#### 7 ")
    assert rest
    second = path.replace("-0001-", "-0002-")
    front = data.partition(b"\n\n")[0].replace(b"chunk: 1", b"chunk: 2")
    gone = after(repo, {path: head, second: front + b"\n\n#### 7 " + rest})
    assert gone == Losses()


def test_what_was_added_is_no_loss(repo: Repository) -> None:
    assert after(repo, dict([conversation(3, 5)])) == Losses()
