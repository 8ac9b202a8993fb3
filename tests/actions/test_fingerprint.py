from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actions.backends import fingerprint
from perdure.backends.protocol import Fingerprint
from perdure.chat.events import Event, ReplyStarted
from perdure.chat.session import Session
from perdure.companion.config.backend_lock import LockEntry, lock_path, parse_lock, render_lock
from perdure.git.repository.repository import Author, Change, Repository
from perdure.notice import Notice
from perdure.snapshot.author import device
from perdure.snapshot.files import read_small_at
from tests.chat.test_session import events_of, talk, trailers
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

MIRA = Author("Mira", "mira@companion.invalid")
OLD = Fingerprint("aaaaaaaaaaaaaaaa", {"digest": "sha256:aaaa", "quantisation": "Q4_K"})
NEW = Fingerprint("bbbbbbbbbbbbbbbb", {"digest": "sha256:bbbb", "quantisation": "Q4_K"})


async def heard(path: Path, prints: Fingerprint) -> list[Event]:
    session = await Session.open(path, backends=[Scripted(prints=prints)])
    events = await events_of(session.send("Hello."))
    await session.close()
    return events


async def test_a_model_is_noted_once_when_it_is_first_seen(companion: Path) -> None:
    events = await heard(companion, OLD)
    assert not [event for event in events if isinstance(event, Notice)]
    await heard(companion, OLD)
    kinds = [line.split(":")[0] for line in git(companion, "log", "--format=%s").splitlines()]
    assert kinds == ["turn", "turn", "backend", "companion"]
    path = lock_path(device())
    seen = parse_lock((companion / path).read_bytes(), path)["scripted"]
    assert seen.fingerprint == OLD.short
    assert seen.details == OLD.details
    assert "Base" not in trailers(companion)
    assert_sound(companion)


async def test_a_changed_model_is_said_before_the_reply_and_is_its_own_commit(
    companion: Path,
) -> None:
    await heard(companion, OLD)
    events = await heard(companion, NEW)
    kinds = [type(event) for event in events]
    assert kinds.index(Notice) < kinds.index(ReplyStarted)
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.text == ("The model behind scripted changed: digest sha256:aaaa → sha256:bbbb.")
    subjects = git(companion, "log", "-2", "--format=%s").splitlines()
    assert subjects == ["turn: Hello.", "backend: scripted now runs sha256:bbbb"]
    assert git(companion, "show", "--name-only", "--format=", "HEAD~1").split() == [
        lock_path(device())
    ]
    assert "Base" not in trailers(companion)
    assert_sound(companion)


async def test_who_notes_a_model_while_another_one_does_speaks_all_the_same(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = lock_path(device()), read_small_at

    def then_another(repo: Repository, where: str, rev: str) -> bytes | None:
        data = read(repo, where, rev)
        monkeypatch.setattr(fingerprint, "read_small_at", read)
        entries = {"other": LockEntry(NEW.short, dict(NEW.details), "2026-11-01T10:00:00+00:00")}
        change = Change(path, render_lock(entries))
        with Repository.open(companion) as other:
            other.commit([change], message="backend: other\n", author=MIRA, branch="main")
        return data

    monkeypatch.setattr(fingerprint, "read_small_at", then_another)
    (first,) = await talk(companion, "Hello.", backend=Scripted(prints=OLD))
    assert [reply.backend for reply in first.turn.replies] == ["scripted"]
    assert parse_lock((companion / path).read_bytes(), path).keys() == {"other"}
    await talk(companion, "And now?", backend=Scripted(prints=OLD))
    assert parse_lock((companion / path).read_bytes(), path).keys() == {"other", "scripted"}
    assert_sound(companion)


async def test_a_lock_file_that_cannot_be_read_is_left_alone(companion: Path) -> None:
    await talk(companion, "One.")
    path = companion / lock_path(device())
    path.write_text("scripted: [\n")
    git(companion, "commit", "-qam", "backend: by hand")
    await talk(companion, "Two.")
    assert path.read_text() == "scripted: [\n"
    assert_sound(companion)


def served(short: str, model: str) -> Fingerprint:
    """What a web API lets be known: the model that answers only once it has answered."""
    system = "fp_1" if model else ""
    details = {"model": "latest", "served": model, "system_fingerprint": system, "window": "8192"}
    return Fingerprint(short, details)


async def test_an_api_that_has_not_answered_yet_runs_what_it_ran(companion: Path) -> None:
    unknown, first = served("a" * 16, ""), served("b" * 16, "model-2026-01")
    for prints in (unknown, first, unknown, first):
        events = await heard(companion, prints)
        assert not [event for event in events if isinstance(event, Notice)]
    subjects = git(companion, "log", "--format=%s", "--reverse").splitlines()
    assert [line for line in subjects if line.startswith("backend:")] == [
        "backend: scripted is first seen here, running aaaaaaaaaaaaaaaa",
        "backend: scripted answers as model-2026-01",
    ]
    events = await heard(companion, served("c" * 16, "model-2026-02"))
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.text == (
        "The model behind scripted changed: served model-2026-01 → model-2026-02."
    )
    assert_sound(companion)
