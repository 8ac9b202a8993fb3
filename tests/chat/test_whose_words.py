"""Her words stay hers after she or the user got another name; others keep their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.chat.session import Session
from perdure.companion.conversation.speaker import is_hers
from perdure.companion.ids import TurnId
from perdure.companion.turns import Message, Reply, Turn
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.views.why.explain import explain
from tests.chat.test_session import events_of, talk, trailers
from tests.conftest import git
from tests.speaking import Scripted


def edited(path: Path, old: str, new: str) -> None:
    place = path / "companion.yaml"
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def added(path: Path, text: str) -> None:
    """Words that a hand has put at the end of the last chunk, committed."""
    chunk = max((path / "conversations").rglob("*.md"))
    with chunk.open("a") as file:
        file.write(text)
    git(path, "commit", "-qam", "import: by hand")


async def sent(path: Path, text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Roles and texts of what was sent, the persona left out; and the notices."""
    backend = Scripted()
    session = await Session.open(path, backends=[backend])
    events = await events_of(session.send(text))
    await session.close()
    said = [(each.role, each.content) for each in backend.asked[-1].messages]
    with Repository.open(path, recover=False) as repo:
        assert explain(repo, TurnId.parse(trailers(path)["Turn"])).verdict == "matches"
    return [each for each in said if each[0] != "system"], [
        each.text for each in events if isinstance(each, Notice)
    ]


async def test_what_she_said_under_another_name_is_hers(companion: Path) -> None:
    await talk(companion, "How was the river?")
    edited(companion, "name: Mira", "name: Mirea")
    said, told = await sent(companion, "What did you say?")
    assert [role for role, _ in said] == ["assistant", "user", "assistant", "user"]
    assert said[2] == ("assistant", "I heard: How was the river?")
    assert any("She is now called Mirea" in text for text in told)
    _, told = await sent(companion, "And now?")
    assert not any("is called" in text for text in told)


async def test_a_reply_without_a_backend_is_told_by_her_former_names(companion: Path) -> None:
    await talk(companion, "Hello.")
    added(
        companion,
        "\n#### 2 · Ana\n\n> By hand?\n\n#### 2~1 · Mira\n\n> By hand.\n",
    )
    edited(companion, "name: Mira", "name: Mirea")
    said, _ = await sent(companion, "One.")
    assert said[-1] == ("user", "By hand?\n\nMira: By hand.\n\nOne.")
    edited(companion, "name: Mirea", "name: Mirea\nformer_names: [Mira]")
    said, told = await sent(companion, "Two.")
    assert ("assistant", "By hand.") in said
    assert not any("is called" in text for text in told)


async def test_a_recovered_reply_is_hers_under_any_name(companion: Path) -> None:
    await talk(companion, "Hello.")
    added(
        companion,
        "\n#### 2 · Ana\n\n> Cut?\n\n#### 2~1 · Mira · interrupted\n\n> As far as\n",
    )
    edited(companion, "name: Mira", "name: Mirea")
    said, _ = await sent(companion, "One.")
    assert ("assistant", "As far as") in said


async def test_another_speaker_keeps_his_name_and_the_user_has_none(companion: Path) -> None:
    await talk(companion, "Hello.")
    added(companion, "\n#### 1~1 · Bo\n\n> I am here too.\n")
    edited(companion, "user: Ana", "user: Anna")
    said, _ = await sent(companion, "Good.")
    assert said[-2:] == [
        ("assistant", "I heard: Hello."),
        ("user", "Bo: I am here too.\n\nGood."),
    ]


async def test_her_own_edits_are_hers_under_a_former_name(companion: Path) -> None:
    from perdure.git.timeline.query import Query
    from perdure.views.persona_log import persona_changes

    author = "Mirabel <mirabel@companion.invalid>"
    (companion / "persona/50-more.md").write_text("# More\n\nLikes tea.\n")
    git(companion, "add", "-A")
    git(companion, "commit", "-qm", "persona: tea", "--author", author)

    def by_her() -> list[bool]:
        with Repository.open(companion, recover=False) as repo:
            found = persona_changes(repo, repo.resolve("HEAD"), Query(folders=("persona",)))
            return [each.by_her for each in found if each.listed.commit.subject == "persona: tea"]

    assert by_her() == [False]
    edited(companion, "name: Mira", "name: Mira\nformer_names: Mirabel")
    git(companion, "commit", "-qam", "companion: former names")
    assert by_her() == [True]


@pytest.mark.parametrize(
    ("turn", "hers"),
    [
        (Turn(1, Message("Ana", "?"), (Reply("X", "."),)), False),
        (Turn(1, Message("Ana", "?"), (Reply("Mira", "."),)), True),
        (Turn(1, Message("Ana", "?"), (Reply("Zoe\u0308", "."),)), True),
        (Turn(1, Message("Ana", "?"), (Reply("", "."),)), True),
        (Turn(1, Message("Ana", "?"), (Reply("X", ".", backend="b"),)), True),
        (Turn(1, Message("Ana", "?"), (Reply("X", ".", model="m"),)), False),
        (Turn(0, None, (Reply("X", "."),)), True),
        (Turn(0, None, (Reply("X", "."), Reply("Y", "."))), False),
        (Turn(1, None, (Reply("X", "."),)), False),
    ],
)
def test_whose_a_reply_is(turn: Turn, *, hers: bool) -> None:
    assert is_hers(turn, turn.replies[0], ("Mira", "Zo\u00eb")) is hers


async def test_text_between_two_rules_is_told_once_for_each_state(companion: Path) -> None:
    def rules(mood: str) -> None:
        (companion / "persona/15-rules.md").write_text(f"---\nmood: {mood}\n---\n\nBees.\n")

    rules("calm")
    _, told = await sent(companion, "One.")
    (notice,) = [text for text in told if "left out" in text]
    assert "persona/15-rules.md:2" in notice
    assert "mood" in notice
    _, told = await sent(companion, "Two.")
    assert not [text for text in told if "left out" in text]
    rules("wild")
    _, told = await sent(companion, "Three.")
    assert len([text for text in told if "left out" in text]) == 1
