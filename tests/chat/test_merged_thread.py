"""Two lines of talk come together: what the next turn goes on from, and what its prompt holds."""

from __future__ import annotations

import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from perdure.backends.errors import ConnectionRefused
from perdure.chat.events import Saved
from perdure.chat.session import Session
from perdure.companion.conversation.chunk import chunk_path, render_head, render_turn
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.conversation.merged_thread import merged_thread
from perdure.snapshot.conversation.transcript import Transcript
from perdure.views.why.explain import explain
from tests.chat.test_recovery import crash
from tests.chat.test_session import events_of, trailers
from tests.conftest import assert_sound, git
from tests.speaking import Scripted


def cloned(path: Path, to: Path) -> Path:
    subprocess.run(["git", "clone", "-q", str(path), str(to)], check=True)
    return to


def pull(path: Path, other: Path, *how: str) -> None:
    git(path, "pull", "-q", *(how or ("--no-rebase", "--no-edit")), str(other), "main")


async def say(path: Path, *texts: str, fresh: bool = False) -> tuple[Scripted, list[str]]:
    """Say it in a session of its own: what was sent, and the notices."""
    backend = Scripted()
    session = await Session.open(path, backends=[backend])
    if fresh:
        session.new_conversation()
    told = []
    for text in texts:
        events = await events_of(session.send(text))
        told += [event.text for event in events if isinstance(event, Notice)]
        assert any(isinstance(event, Saved) for event in events)
    await session.close()
    return backend, told


def asked(backend: Scripted) -> list[str]:
    """The user's words of the last prompt, in their order."""
    return [
        part
        for message in backend.asked[-1].messages
        if message.role == "user"
        for part in message.content.split("\n\n")
        if not part.startswith(("[", ">"))
    ]


def head(path: Path) -> ChunkHead:
    with Repository.open(path, recover=False) as repo:
        transcript = Transcript(repo, "HEAD")
        found = transcript.head(len(transcript.chunks) - 1)
    assert found is not None
    return found


def verdict(path: Path) -> str:
    with Repository.open(path, recover=False) as repo:
        return explain(repo, TurnId.parse(trailers(path)["Turn"])).verdict


@pytest.fixture(params=["one talk", "two talks"])
async def two(request: pytest.FixtureRequest, companion: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A companion here, with talk of its own, and a clone of it with talk of its own."""
    await say(companion, "We begin.")
    there = cloned(companion, tmp_path / "there")
    apart = request.param == "two talks"
    await say(there, "Laptop one.", "Laptop two.", fresh=apart)
    await say(companion, "Desktop one.", "Desktop two.", fresh=apart)
    return companion, there


async def test_the_first_turn_after_a_pull_goes_on_from_both(two: tuple[Path, Path]) -> None:
    here, there = two
    pull(here, there)
    backend, told = await say(here, "After.")
    words = asked(backend)
    assert words[-1] == "After."
    assert {"Laptop one.", "Laptop two.", "Desktop one.", "Desktop two."} < set(words)
    assert len(words) == len(set(words))
    assert len(head(here).ends) == 2
    (notice,) = [text for text in told if "both" in text]
    assert "“Laptop two.”" in notice
    assert "“Desktop two.”" in notice
    assert verdict(here) == "matches"
    backend, told = await say(here, "And on.")
    assert [text for text in told if "both" in text] == []
    assert asked(backend)[-2:] == ["After.", "And on."]
    assert {"Laptop one.", "Desktop one."} < set(asked(backend))
    assert verdict(here) == "matches"
    assert_sound(here)


async def test_a_turn_cut_off_by_a_crash_goes_on_from_both_too(two: tuple[Path, Path]) -> None:
    here, there = two
    pull(here, there)
    crash(here, "prepare_turn", "Half a reply", "After.")
    backend, _ = await say(here, "And on.")
    assert len(head(here).ends) == 2
    assert {"Laptop two.", "Desktop two.", "After.", "And on."} < set(asked(backend))
    assert_sound(here)


async def test_who_pulls_with_rebase_hears_both_too(two: tuple[Path, Path]) -> None:
    here, there = two
    pull(here, there, "--rebase")
    backend, told = await say(here, "After.")
    assert {"Laptop two.", "Desktop two.", "After."} < set(asked(backend))
    assert [text for text in told if "both" in text]
    assert verdict(here) == "matches"


async def test_a_chat_that_is_open_during_the_pull_goes_on_from_both(
    two: tuple[Path, Path],
) -> None:
    here, there = two
    backend = Scripted()
    session = await Session.open(here, backends=[backend])
    await events_of(session.send("Still here."))
    pull(here, there)
    await session.look_again()
    events = await events_of(session.send("After."))
    assert [e for e in events if isinstance(e, Notice) and "both" in e.text]
    assert {"Laptop two.", "Still here."} < set(asked(backend))
    events = await events_of(session.send("And on."))
    assert not [e for e in events if isinstance(e, Notice) and "both" in e.text]
    await session.close()
    assert len(head(here).ends) == 2
    assert verdict(here) == "matches"


async def test_three_machines_are_one_talk(companion: Path, tmp_path: Path) -> None:
    await say(companion, "We begin.")
    others = [cloned(companion, tmp_path / name) for name in ("laptop", "phone")]
    for path in (*others, companion):
        await say(path, f"At the {path.name}.")
    for path in others:
        pull(companion, path)
    backend, told = await say(companion, "After.")
    assert {"At the laptop.", "At the phone.", "At the mira."} < set(asked(backend))
    assert len(head(companion).ends) == 3
    assert any("all of it" in text for text in told)
    assert verdict(companion) == "matches"


async def test_both_machines_go_on_and_meet_again(two: tuple[Path, Path]) -> None:
    here, there = two
    pull(here, there)
    pull(there, here)
    await say(here, "Here again.")
    git(there, "reset", "-q", "--hard", "HEAD")
    await say(there, "There again.")
    pull(here, there)
    backend, _ = await say(here, "One talk.")
    words = asked(backend)
    assert {"Here again.", "There again.", "Laptop two.", "Desktop two."} < set(words)
    assert len(words) == len(set(words))
    assert verdict(here) == "matches"


async def test_two_machines_that_merge_the_same_by_themselves_meet_again(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    here, there = two
    before = cloned(here, tmp_path / "before")
    pull(here, there)
    pull(there, before)
    await say(here, "Here again.")
    await say(there, "There again.")
    assert len(head(here).ends) == len(head(there).ends) == 2
    pull(here, there)
    backend, told = await say(here, "One talk.")
    words = asked(backend)
    assert {"Here again.", "There again.", "Laptop two.", "Desktop two."} < set(words)
    assert len(words) == len(set(words))
    assert words[-1] == "One talk."
    assert [text for text in told if "both" in text]
    assert verdict(here) == "matches"


async def test_a_turn_that_the_merge_wrote_anew_is_an_end(companion: Path, tmp_path: Path) -> None:
    """Both sides added to one file, which only a hand or a copied state can do."""
    from perdure.actions.history import merge as merge_action
    from perdure.actions.workspace import Workspace

    await say(companion, "We begin.")
    there = cloned(companion, tmp_path / "there")
    for path in (there, companion):
        (chunk,) = (path / "conversations").rglob("*.md")
        at = datetime.now(UTC).replace(microsecond=0)
        words = f"At {path.name}."
        turn = Turn(2, Message("Ana", words, at), (Reply("Mira", "Yes.", at, backend="b"),))
        chunk.write_bytes(chunk.read_bytes() + render_turn(turn))
        identity = head(path).conversation
        git(path, "commit", "-qam", f"turn: {words}\n\nTurn: {identity}/2")
    git(companion, "fetch", "-q", str(there), "main:there")
    with Workspace.open(companion) as workspace:
        merge_action.merge_branch(workspace, "there")
    backend, _ = await say(companion, "After.")
    assert {"At there.", "At mira."} < set(asked(backend))
    assert len(head(companion).ends) == 2
    assert verdict(companion) == "matches"


async def test_a_line_that_leads_to_the_other_is_no_second_end(
    companion: Path, tmp_path: Path
) -> None:
    await say(companion, "We begin.")
    there = cloned(companion, tmp_path / "there")
    (there / "persona/50-more.md").write_text("# More\n\nLikes tea.\n")
    git(there, "add", "-A")
    git(there, "commit", "-qm", "persona: tea")
    await say(companion, "Desktop.")
    pull(companion, there)
    before = head(companion)
    _, told = await say(companion, "After.")
    assert head(companion) == before
    assert not [text for text in told if "both" in text]


async def test_undoing_the_first_turn_leaves_both_ends(two: tuple[Path, Path]) -> None:
    from perdure.actions.history.undo import next_undo, perform_step
    from perdure.actions.workspace import Workspace

    here, there = two
    pull(here, there)
    await say(here, "After.")
    with Workspace.open(here) as workspace:
        perform_step(workspace, next_undo(workspace))
    backend, told = await say(here, "Otherwise.")
    assert {"Laptop two.", "Desktop two.", "Otherwise."} < set(asked(backend))
    assert "After." not in asked(backend)
    assert [text for text in told if "both" in text]


async def test_taking_back_the_first_turn_by_a_commit_leaves_both_ends(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    from perdure.actions.history.undo import next_undo, perform_step
    from perdure.actions.workspace import Workspace

    here, there = two
    pull(here, there)
    await say(here, "After.")
    hub = tmp_path / "hub"
    subprocess.run(["git", "init", "-q", "--bare", str(hub)], check=True)
    git(here, "push", "-q", str(hub), "main")
    git(here, "remote", "add", "hub", str(hub))
    git(here, "fetch", "-q", "hub")
    with Workspace.open(here) as workspace:
        perform_step(workspace, next_undo(workspace))
    assert git(here, "log", "-1", "--format=%s").startswith("revert: ")
    backend, told = await say(here, "Otherwise.")
    assert {"Laptop two.", "Desktop two.", "Otherwise."} < set(asked(backend))
    assert "After." not in asked(backend)
    assert [text for text in told if "both" in text]
    assert verdict(here) == "matches"


async def test_an_end_that_is_set_aside_stays_out(two: tuple[Path, Path]) -> None:
    from perdure.actions.memory.exclude import exclude_turns, plan_exclude
    from perdure.actions.workspace import Workspace

    here, there = two
    turn = trailers(there)["Turn"]
    pull(here, there)
    with Workspace.open(here) as workspace:
        exclude_turns(workspace, plan_exclude(workspace, turn))
    backend, _ = await say(here, "After.")
    assert "Laptop two." not in asked(backend)
    assert {"Laptop one.", "Desktop two."} < set(asked(backend))
    assert verdict(here) == "matches"


async def test_a_message_without_its_reply_is_answered_before_both_go_on(
    two: tuple[Path, Path],
) -> None:
    here, there = two
    dead = Scripted(failure=ConnectionRefused("nobody listens"), fail_after=-1)
    session = await Session.open(here, backends=[dead])
    await events_of(session.send("Unanswered?"))
    await session.close()
    pull(here, there)
    backend = Scripted()
    session = await Session.open(here, backends=[backend])
    await events_of(session.resume())
    assert asked(backend)[-1] == "Unanswered?"
    assert {"Laptop two.", "Desktop two."} < set(asked(backend))
    assert verdict(here) == "matches"
    await events_of(session.send("Good."))
    assert asked(backend)[-2:] == ["Unanswered?", "Good."]
    await session.close()
    assert verdict(here) == "matches"


# The thread, as a function of the tree


AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
Made = tuple[int, int, tuple[tuple[int, int], ...]]


def written(path: Path, heads: list[Made]) -> None:
    """Conversations: how many turns, minutes from the first, and what each goes on from."""
    repo = Repository.open(path, recover=False)
    files = {}
    ids = [ConversationId(f"2026-11-22-1800-{number:08x}") for number in range(len(heads))]
    for own, (turns, minute, ends) in zip(ids, heads, strict=True):
        named = [TurnId(ids[at % len(ids)], number) for at, number in ends]
        start = AT + timedelta(minutes=minute)
        front = ChunkHead(
            own, 1, "", ("Ana", "Mira"), named[0] if named else None, tuple(named[1:]), start
        )
        text = render_head(front)
        for number in range(1, turns + 1):
            at = start + timedelta(minutes=2 * number)
            words = f"{own.hex}/{number}"
            text += render_turn(Turn(number, Message("Ana", words, at), (Reply("Mira", ".", at),)))
        files[chunk_path(own, 1, AT.date())] = text
    shutil.rmtree(path / "conversations", ignore_errors=True)
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    repo.close()
    git(path, "add", "-A")
    git(path, "commit", "-q", "--allow-empty", "-m", "import: a life")


def thread_at(path: Path, end: str, most: int = 400) -> list[str]:
    with Repository.open(path, recover=False) as repo:
        transcript = Transcript(repo, "HEAD")
        found = merged_thread(transcript, (TurnId.parse(end),), most=most)
    return [f"{past.id.conversation.hex[-1]}/{past.id.number}" for past in found]


def end(conversation: int, number: int) -> str:
    return f"2026-11-22-1800-{conversation:08x}/{number}"


def test_lines_side_by_side_stand_by_time(companion: Path) -> None:
    written(
        companion,
        [(3, 0, ()), (2, 10, ((0, 2),)), (2, 11, ((0, 3),)), (1, 30, ((1, 2), (2, 2)))],
    )
    assert thread_at(companion, end(3, 1)) == [
        "0/1", "0/2", "0/3", "1/1", "2/1", "1/2", "2/2", "3/1",
    ]  # fmt: skip
    assert thread_at(companion, end(3, 1), most=3) == ["1/2", "2/2", "3/1"]


def test_a_clock_that_is_off_moves_no_turn_before_what_it_goes_on_from(companion: Path) -> None:
    written(
        companion,
        [(2, 0, ()), (2, -5000, ((0, 2),)), (1, 50, ((0, 2),)), (1, 60, ((2, 1), (1, 2)))],
    )
    assert thread_at(companion, end(3, 1)) == ["0/1", "0/2", "1/1", "1/2", "2/1", "3/1"]


def test_loops_and_missing_ends_end_where_they_do(companion: Path) -> None:
    written(companion, [(2, 0, ((1, 1),)), (2, 10, ((0, 1), (0, 9), (1, 2)))])
    assert thread_at(companion, end(1, 2)) == ["0/1", "0/2", "1/1", "1/2"]
    written(companion, [(1, 0, ()), (1, 5, ((0, 1), (2, 1))), (0, 0, ())])
    assert thread_at(companion, end(1, 1)) == ["0/1", "1/1"]


@pytest.mark.parametrize("seed", range(3))
def test_the_thread_is_a_function_of_the_tree(companion: Path, tmp_path: Path, seed: int) -> None:
    """Each turn that can be reached stands once, behind what it goes on from; in any clone."""
    dice = random.Random(seed)
    for _ in range(8):
        sizes = [dice.randint(1, 4) for _ in range(dice.randint(2, 7))]
        heads: list[Made] = []
        off = dice.random() < 0.5
        for size in sizes:
            ends = ends_before(dice, sizes[: len(heads)])
            begun = max((heads[at][1] + 2 * number for at, number in ends), default=0)
            heads.append((size, dice.randint(-50, 50) if off else begun + dice.randint(0, 4), ends))
        written(companion, heads)
        last = end(len(sizes) - 1, sizes[-1])
        found = thread_at(companion, last)
        assert set(found) == reachable(heads)
        assert len(found) == len(set(found))
        place = {turn: at for at, turn in enumerate(found)}
        for at, (size, _, ends) in enumerate(heads):
            for number in range(1, size + 1):
                own = place.get(f"{at}/{number}")
                before = [(at, number - 1)] if number > 1 else list(ends)
                for conversation, turn in before if own is not None else ():
                    assert place[f"{conversation}/{turn}"] < (own or 0)
        for most in () if off else (1, 3, 5):
            # How far back is read counts on clocks.
            assert thread_at(companion, last, most) == found[-most:]
    other = cloned(companion, tmp_path / "clone")
    git(other, "checkout", "-q", "--orphan", "else")
    git(other, "commit", "-qm", "import: the same tree")
    assert thread_at(other, last) == found


def ends_before(dice: random.Random, sizes: list[int]) -> tuple[tuple[int, int], ...]:
    at = dice.sample(range(len(sizes)), min(len(sizes), dice.randint(0, 3)))
    return tuple((place, dice.randint(1, sizes[place])) for place in at)


def reachable(heads: list[Made]) -> set[str]:
    found: set[str] = set()
    waiting = [(len(heads) - 1, heads[-1][0])]
    while waiting:
        at, number = waiting.pop()
        if f"{at}/{number}" not in found:
            found |= {f"{at}/{each}" for each in range(1, number + 1)}
            waiting += heads[at][2]
    return found
