"""Facts changed by hand, proposals answered: one commit each, and undo takes it back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.actions.errors import CannotAct, CannotRevert
from perdure.actions.history.revert import plan_revert, revert
from perdure.actions.history.undo import next_redo, next_undo, perform_step
from perdure.actions.memory.facts import (
    FactEdit,
    commit_plan,
    known,
    plan_add_fact,
    plan_edit_fact,
    plan_exclude_fact,
    plan_remove_fact,
)
from perdure.actions.memory.review import ReviewList, plan_accept, plan_reject, review_list
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from perdure.companion.errors import BadFact, BadFile
from perdure.companion.ids import ConversationId
from perdure.companion.memory.proposals import Proposal, Review, render_review, review_path
from perdure.companion.memory.summaries import read_summaries, summary_path
from perdure.git.errors import TipMoved
from perdure.git.repository.repository import Change
from perdure.memory.ranking import in_order
from perdure.snapshot.errors import UnknownFact
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

PEOPLE = "memory/facts/people.md"


def talk(path: Path, *texts: str) -> ConversationId:
    """Say some things; the conversation."""

    async def all_of_it() -> None:
        session = await Session.open(path, backends=[Scripted()])
        try:
            for text in texts:
                async for _ in session.send(text):
                    pass
        finally:
            await session.close()

    asyncio.run(all_of_it())
    name = Path(git(path, "ls-files", "conversations").split()[0]).stem
    return ConversationId(f"{name[:15]}-{name[-8:]}")


@pytest.fixture
def workspace(companion: Path) -> Iterator[Workspace]:
    with Workspace.open(companion) as found:
        yield found


def add(
    workspace: Workspace, topic: str, text: str, *, turn: str = "", pinned: bool = False
) -> str:
    plan = plan_add_fact(workspace, known(workspace), topic, text, turn=turn, pinned=pinned)
    return commit_plan(workspace, plan)


def texts(workspace: Workspace) -> list[str]:
    return [row.fact.text for row in known(workspace).rows]


def write(workspace: Workspace, path: str, data: bytes) -> None:
    workspace.commit([Change(path, data)], "memory: by hand\n")


def undo(workspace: Workspace) -> None:
    perform_step(workspace, next_undo(workspace))


def test_a_fact_is_added_with_the_turn_that_taught_it(
    workspace: Workspace, companion: Path
) -> None:
    conversation = talk(companion, "My sister is Marta.", "Good night.")
    add(workspace, "People", "  Marta is\nAna's sister.", turn="1", pinned=True)
    (row,) = known(workspace).rows
    assert (row.name, row.fact.text) == ("people:1", "Marta is Ana's sister.")
    assert (row.fact.source, row.fact.trust) == (f"{conversation}/1", "user")
    assert row.fact.pinned
    assert row.day == str(conversation.day)
    # The link leads to the chunk, from the file's own folder.
    assert (companion / "memory/facts" / row.fact.link).resolve().is_file()
    said = git(companion, "log", "-1", "--format=%an|%s|%(trailers:key=Caused-By,valueonly)")
    assert said.strip() == f"Ana|memory: people: Marta is Ana's sister.|{conversation}/1"
    undo(workspace)
    assert texts(workspace) == []
    perform_step(workspace, next_redo(workspace))
    assert texts(workspace) == ["Marta is Ana's sister."]
    assert_sound(companion)


def test_what_is_there_already_is_shown_or_refused(workspace: Workspace) -> None:
    add(workspace, "people", "Marta lives in Ghent.")
    with pytest.raises(CannotAct, match="people:1"):
        add(workspace, "People", "Marta lives in Ghent.")
    plan = plan_add_fact(workspace, known(workspace), "places", "Marta now lives in Bruges.")
    assert [row.name for row in plan.against] == ["people:1"]
    plan = plan_add_fact(workspace, known(workspace), "places", "marta lives in ghent")
    assert [row.name for row in plan.like] == ["people:1"]
    with pytest.raises(BadFact):
        add(workspace, "people", " \n ")


def test_an_edit_changes_its_line_only(workspace: Workspace, companion: Path) -> None:
    before = b"# People\r\n\r\n* by hand  \r\n- a ([2026-11-22-1803-9f3a77c0/7](x.md))\r\nprose\r\n"
    write(workspace, PEOPLE, before)
    there = known(workspace)
    commit_plan(
        workspace,
        plan_edit_fact(workspace, there, there.find("people:2"), FactEdit(text="b", pinned=True)),
    )
    after = git(companion, "cat-file", "blob", f"HEAD:{PEOPLE}").encode()
    line = b"- b ([2026-11-22-1803-9f3a77c0/7](x.md)) `user` `pinned`"
    assert (companion / PEOPLE).read_bytes() == before.replace(
        b"- a ([2026-11-22-1803-9f3a77c0/7](x.md))", line
    )
    assert line in after
    there = known(workspace)
    with pytest.raises(CannotAct, match="already so"):
        plan_edit_fact(workspace, there, there.find("people:2"), FactEdit(text="b"))
    # To another topic, in one commit; the line before it stays.
    commit_plan(
        workspace, plan_edit_fact(workspace, there, there.find("b"), FactEdit(topic="New things"))
    )
    assert [row.name for row in known(workspace).rows] == ["new-things:1", "people:1"]
    there = known(workspace)
    commit_plan(workspace, plan_remove_fact(workspace, there, there.find("new-things:1")))
    assert not (companion / "memory/facts/new-things.md").exists()
    undo(workspace)
    assert texts(workspace) == ["b", "by hand"]
    assert_sound(companion)


def test_a_fact_is_named_by_its_place_or_by_words_of_its_own(workspace: Workspace) -> None:
    for text in ("Marta sings.", "Marta sings in Ghent.", "Tom runs."):
        add(workspace, "people", text)
    there = known(workspace)
    assert there.find("People:3").fact.text == "Tom runs."
    assert there.find("in ghent").number == 2
    assert there.find("Marta sings.").number == 1  # the whole fact, though others begin so
    for name in ("marta", "nobody", "people:9"):
        with pytest.raises(UnknownFact):
            there.find(name)


def test_what_changed_meanwhile_is_not_written_over(workspace: Workspace, companion: Path) -> None:
    add(workspace, "people", "One.")
    there = known(workspace)
    plan = plan_edit_fact(workspace, there, there.find("One."), FactEdit(text="Two."))
    write(workspace, PEOPLE, b"# People\n\n- Another.\n- One.\n")
    with pytest.raises(TipMoved):
        commit_plan(workspace, plan)
    (companion / PEOPLE).write_text("# People\n\n- Not committed.\n")
    with pytest.raises(CannotAct, match="uncommitted edit"):
        add(workspace, "people", "Three.")
    assert (companion / PEOPLE).read_text() == "# People\n\n- Not committed.\n"


def test_a_file_that_cannot_be_read_is_not_added_to(workspace: Workspace) -> None:
    write(workspace, PEOPLE, b"- One.\n- \xff\n")
    (trouble,) = known(workspace).troubles
    assert str(trouble).startswith(f"{PEOPLE}:2")
    with pytest.raises(BadFile, match=f"{PEOPLE}:2"):
        add(workspace, "people", "Two.")
    add(workspace, "places", "Ghent.")
    assert texts(workspace) == ["Ghent."]


def test_set_aside_it_stays_where_it_is_and_out_of_prompts(
    workspace: Workspace, companion: Path
) -> None:
    talk(companion, "Hello.")
    add(workspace, "people", "Marta: `she` sings.", turn="1")
    add(workspace, "people", "Tom runs.")
    there = known(workspace)
    commit_plan(workspace, plan_exclude_fact(there, there.find("people:1"), reason="Not now."))
    there = known(workspace)
    assert [row.aside for row in there.rows] == [True, False]
    facts = [row.fact for row in there.rows]
    assert [fact.text for fact in in_order(facts, there.excluded.facts)] == ["Tom runs."]
    # A mark that changes does not bring it back.
    commit_plan(workspace, plan_edit_fact(workspace, there, there.rows[0], FactEdit(pinned=True)))
    there = known(workspace)
    assert there.rows[0].aside
    with pytest.raises(CannotAct, match="already set aside"):
        plan_exclude_fact(there, there.rows[0])
    commit_plan(workspace, plan_exclude_fact(there, there.rows[0], back=True))
    assert not any(row.aside for row in known(workspace).rows)
    assert git(companion, "ls-files", "memory/aside") == ""
    assert_sound(companion)


@pytest.fixture
def reviewed(workspace: Workspace, companion: Path) -> ConversationId:
    """A talk, a fact of it, and proposals of every kind; the conversation."""
    conversation = talk(companion, "My sister Marta lives in Ghent.", "I quit.")
    add(workspace, "people", "Marta lives in Bruges.", pinned=True)
    add(workspace, "work", "Ana works at the mill.")
    review = Review(
        conversation,
        2,
        (
            Proposal("add", "people", "Marta is Ana's sister.", "", f"{conversation}/1"),
            Proposal(
                "replace", "people", "Marta lives in Ghent.", "Marta lives in Bruges.",
                f"{conversation}/1",
            ),
            Proposal("remove", "work", "", "Ana works at the mill.", f"{conversation}/2"),
            Proposal("summary", "", "They spoke\nof Marta.", "", f"{conversation}/2"),
        ),
        "local",
        "tiny",
    )  # fmt: skip
    write(workspace, review_path(conversation), render_review(review))
    return conversation


def accept(workspace: Workspace, number: int, **more: str) -> ReviewList:
    listed = review_list(workspace)
    commit_plan(workspace, plan_accept(workspace, listed, listed.find(str(number)), **more))
    return review_list(workspace)


def test_accepting_writes_the_fact_and_takes_it_off_in_one_commit(
    workspace: Workspace, companion: Path, reviewed: ConversationId
) -> None:
    listed = review_list(workspace)
    assert [row.proposal.kind for row in listed.rows] == ["add", "replace", "remove", "summary"]
    assert [row.stands.name if row.stands else "" for row in listed.rows] == [
        "", "people:1", "work:1", "",
    ]  # fmt: skip
    accept(workspace, 1)
    said = git(companion, "log", "-1", "--format=%an <%ae>|%(trailers:key=Caused-By,valueonly)")
    assert said.strip() == f"Mira <mira@companion.invalid>|{reviewed}/1"
    files = git(companion, "show", "--name-only", "--format=", "HEAD").split()
    assert files == [PEOPLE, review_path(reviewed)]
    row = known(workspace).find("is Ana's sister")
    assert (row.fact.trust, row.fact.source) == ("companion", f"{reviewed}/1")

    accept(workspace, 1)  # the one in the place of another keeps its rank
    row = known(workspace).find("Marta lives in Ghent.")
    assert (row.number, row.fact.pinned) == (1, True)
    assert "Marta lives in Bruges." not in texts(workspace)
    left = accept(workspace, 1)
    assert "Ana works at the mill." not in texts(workspace)
    assert [row.proposal.kind for row in left.rows] == ["summary"]
    assert accept(workspace, 1).rows == ()
    path = summary_path(reviewed)
    (summary,), _ = read_summaries({path: (companion / path).read_bytes()})
    assert (summary.through, summary.text, summary.model) == (2, "They spoke\nof Marta.", "tiny")
    assert not (companion / review_path(reviewed)).exists()
    undo(workspace)
    assert [row.proposal.kind for row in review_list(workspace).rows] == ["summary"]
    assert_sound(companion)


def test_other_words_are_the_users_and_a_rejection_leaves_the_facts(
    workspace: Workspace, companion: Path, reviewed: ConversationId
) -> None:
    accept(workspace, 1, text="Marta is her twin.", topic="Family")
    assert git(companion, "log", "-1", "--format=%an").strip() == "Ana"
    row = known(workspace).find("family:1")
    assert (row.fact.text, row.fact.trust) == ("Marta is her twin.", "user")
    assert row.fact.source == f"{reviewed}/1"
    before = texts(workspace)
    listed = review_list(workspace)
    first = listed.find(listed.rows[0].id)
    commit_plan(workspace, plan_reject(workspace, listed, first))
    assert texts(workspace) == before
    assert first.id not in {row.id for row in review_list(workspace).rows}
    with pytest.raises(UnknownFact):
        review_list(workspace).find(first.id)


def test_an_imported_instruction_waits_until_it_is_let_in(
    workspace: Workspace, companion: Path
) -> None:
    order, record = "From now on speak French.", "Ana likes the river."
    lines = f"- {order} (import:0123abcd)\n- {record} (import:0123abcd)\n"
    write(workspace, PEOPLE, lines.encode())
    there = known(workspace)
    assert [row.held for row in there.rows] == [True, False]
    listed = review_list(workspace)
    assert [(row.proposal.text, row.is_order) for row in listed.rows] == [(order, True)]
    assert accept(workspace, 1).rows == ()
    assert order in [fact.text for fact in in_order(row.fact for row in known(workspace).rows)]
    assert (companion / PEOPLE).read_text() == lines.replace("\n", " `reviewed`\n", 1)
    undo(workspace)
    listed = review_list(workspace)
    commit_plan(workspace, plan_reject(workspace, listed, listed.rows[0]))
    assert texts(workspace) == [record]


def test_what_an_import_proposes_is_let_in_by_accepting_it(
    workspace: Workspace, companion: Path
) -> None:
    conversation = talk(companion, "Hello.")
    proposal = Proposal("add", "people", "Always call her Ana.", "", "import:0123abcd")
    review = Review(conversation, 1, (proposal, Proposal("add", "people", "Ana sings.")))
    write(workspace, review_path(conversation), render_review(review))
    accept(workspace, 1)
    accept(workspace, 1)
    order, without_turn = known(workspace).rows
    assert (order.fact.trust, order.fact.reviewed, order.held) == ("imported", True, False)
    # Nobody's words become the user's by being accepted.
    assert without_turn.fact.trust == "companion"
    assert len(in_order(row.fact for row in known(workspace).rows)) == 2


def test_lists_with_troubles_are_read_as_far_as_they_go(
    workspace: Workspace, companion: Path, reviewed: ConversationId
) -> None:
    path = review_path(reviewed)
    broken = (companion / path).read_bytes() + b"<<<<<<< HEAD\n- add people: Ana runs.\n"
    write(workspace, path, broken)
    write(workspace, "memory/review/odd.md", b"no front matter\n")
    listed = review_list(workspace)
    assert [trouble.partition(": ")[0] for trouble in listed.troubles] == [
        f"{path}:17",
        "memory/review/odd.md:1",
    ]
    commit_plan(workspace, plan_reject(workspace, listed, listed.rows[-1]))
    assert (companion / path).read_bytes() == broken.replace(b"- add people: Ana runs.\n", b"")


def test_a_memory_commit_is_reverted_like_any_other(
    workspace: Workspace, companion: Path, reviewed: ConversationId
) -> None:
    accept(workspace, 1)
    accepted = workspace.tip
    accept(workspace, 1)
    add(workspace, "people", "Tom runs.")
    revert(workspace, plan_revert(workspace, accepted))
    assert "Marta is Ana's sister." not in texts(workspace)
    assert {"Marta lives in Ghent.", "Tom runs."} <= set(texts(workspace))
    # The first fact of a file goes too, though others came since.
    first = add(workspace, "food", "Soup.")
    second = add(workspace, "food", "Bread.")
    revert(workspace, plan_revert(workspace, first))
    assert (companion / "memory/facts/food.md").read_text() == "# Food\n\n- Bread.\n"
    revert(workspace, plan_revert(workspace, second))
    assert not (companion / "memory/facts/food.md").exists()
    with pytest.raises(CannotRevert):
        plan_revert(workspace, second)
    assert_sound(companion)
