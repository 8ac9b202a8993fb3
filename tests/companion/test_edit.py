from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.conversation.chunk import parse_chunks, render_chunk
from perdure.companion.conversation.edit import (
    ChunkFiles,
    add_answer,
    alternatives_path,
    answers,
    choose_answer,
    edit_message,
    edit_reply,
    next_answer,
)
from perdure.companion.errors import BadFile, NoSuchAnswer, NoSuchTurn
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.aside import (
    Aside,
    TurnRange,
    aside_path,
    bring_back,
    is_aside,
    parse_aside,
    render_aside,
)
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from tests.companion import values

PATH = "conversations/2026-11/22/2026-11-22-1803-0001-9f3a77c0.md"
HEAD = ChunkHead(ConversationId("2026-11-22-1803-9f3a77c0"), 1, "River", ("Ana", "Mira"))
TURNS = (
    Turn(1, Message("Ana", "hello"), (Reply("Mira", "hi"),)),
    Turn(2, Message("Ana", "river?"), (Reply("Mira", "loud"), Reply("Leo", "no"))),
    Turn(3, Message("Ana", "still there?")),
)
FILES = ChunkFiles(PATH, render_chunk(HEAD, TURNS))


def turn(data: bytes, number: int) -> Turn:
    (chunk,) = parse_chunks(data)
    assert chunk.troubles == ()
    return next(turn for turn in chunk.turns if turn.number == number)


def test_another_answer_is_shown_and_the_one_before_becomes_an_alternative() -> None:
    files = add_answer(FILES, 2, [Reply("Mira", "quiet today")])
    assert turn(files.chunk, 2).replies == (Reply("Mira", "quiet today", answer=2),)
    assert files.alternatives is not None
    assert turn(files.alternatives, 2).replies == TURNS[1].replies
    assert [(a.number, a.shown) for a in answers(files, 2)] == [(1, False), (2, True)]
    assert next_answer(files, 2) == 3


def test_an_answer_that_is_not_shown_leaves_the_chunk_as_it_is() -> None:
    files = add_answer(FILES, 1, [Reply("Mira", "hey")], shown=False)
    assert files.chunk == FILES.chunk
    assert [(a.number, a.shown) for a in answers(files, 1)] == [(1, True), (2, False)]


def test_an_unanswered_turn_gets_its_first_answer() -> None:
    files = add_answer(FILES, 3, [Reply("Mira", "yes")])
    assert turn(files.chunk, 3).replies == (Reply("Mira", "yes"),)
    assert files.alternatives is None


def test_choosing_there_and_back_gives_the_same_bytes() -> None:
    files = add_answer(add_answer(FILES, 2, [Reply("Mira", "b")]), 1, [Reply("Mira", "c")])
    back = choose_answer(choose_answer(files, 2, 1), 2, 2)
    assert back == files
    assert choose_answer(files, 2, 2) == files


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(NoSuchTurn):
        add_answer(FILES, 9, [Reply("Mira", "x")])
    with pytest.raises(NoSuchAnswer):
        choose_answer(FILES, 1, 7)
    with pytest.raises(NoSuchAnswer):
        edit_reply(FILES, 1, "x", answer=7)


def test_words_are_corrected_in_place_and_everything_else_stays() -> None:
    files = edit_reply(edit_message(FILES, 2, "the river?"), 2, "not at all")
    wanted = replace(
        TURNS[1],
        message=Message("Ana", "the river?"),
        replies=(Reply("Mira", "not at all"), TURNS[1].replies[1]),
    )
    assert files.chunk == render_chunk(HEAD, (TURNS[0], wanted, TURNS[2]))


def test_a_reply_among_the_alternatives_is_corrected_there() -> None:
    files = edit_reply(add_answer(FILES, 1, [Reply("Mira", "b")]), 1, "hi!", answer=1)
    assert files.alternatives is not None
    assert turn(files.alternatives, 1).replies[0].text == "hi!"
    assert turn(files.chunk, 1).replies[0].text == "b"


def test_a_front_matter_of_somebodys_own_hand_keeps_its_bytes() -> None:
    data = FILES.chunk.replace(b"title:", b"# a comment\ntitle:", 1)
    files = edit_message(ChunkFiles(PATH, data), 1, "hello!")
    assert files.chunk == data.replace(b"> hello\n", b"> hello!\n")


@pytest.mark.parametrize("data", [FILES.chunk[:-9] + b"\nstray", FILES.chunk * 2])
def test_a_damaged_file_is_never_rewritten(data: bytes) -> None:
    with pytest.raises(BadFile):
        edit_message(ChunkFiles(PATH, data), 1, "x")


@given(values.heads, values.turn_lists(min_size=1), values.texts, st.data())
def test_no_edit_loses_a_text(
    head: ChunkHead, turns: tuple[Turn, ...], text: str, data: st.DataObject
) -> None:
    turns = tuple(replace(t, replies=tuple(replace(r, answer=1) for r in t.replies)) for t in turns)
    files = ChunkFiles(PATH, render_chunk(head, turns))
    said = sorted(r.text for t in turns for r in t.replies)
    for _ in range(3):
        number = data.draw(st.sampled_from(turns)).number
        shown = data.draw(st.booleans())
        files = add_answer(files, number, [Reply("Mira", text)], shown=shown)
        said = sorted([*said, text])
        numbers = [answer.number for answer in answers(files, number)]
        assert numbers == sorted(set(numbers))
        files = choose_answer(files, number, data.draw(st.sampled_from(numbers)))
    found = []
    for content in (files.chunk, files.alternatives):
        for chunk in parse_chunks(content) if content else ():
            assert chunk.troubles == ()
            found += [reply.text for t in chunk.turns for reply in t.replies]
            assert content == render_chunk(chunk.head, chunk.turns)
    assert sorted(found) == said


def test_alternatives_have_the_name_of_their_chunk() -> None:
    assert alternatives_path(PATH) == PATH.replace("conversations", "alternatives")


RANGES = st.builds(
    lambda conversation, first, more: TurnRange(conversation, first, first + more),
    values.conversations,
    st.integers(0, 40),
    st.integers(0, 9),
)


@given(
    st.lists(RANGES, max_size=4), st.lists(values.texts, max_size=3), st.text("ab \n", max_size=9)
)
def test_asides_come_back_as_they_were_written(
    turns: list[TurnRange], facts: list[str], reason: str
) -> None:
    facts = [fact.encode("utf-8", "replace").decode() for fact in facts]
    aside = Aside(tuple(turns), tuple(facts), reason.strip("\n"))
    assert parse_aside(render_aside(aside), "memory/aside/x.md") == aside


@given(st.lists(RANGES, min_size=1, max_size=3), st.lists(RANGES, max_size=3), st.integers(0, 60))
def test_what_is_brought_back_is_aside_no_more_and_nothing_else(
    turns: list[TurnRange], back: list[TurnRange], number: int
) -> None:
    same = turns[0].conversation
    turns = [replace(one, conversation=same) for one in turns]
    back = [replace(one, conversation=same) for one in back]
    turn = TurnId(same, number)
    left = bring_back(Aside(tuple(turns)), back)
    was = any(turn in one for one in turns)
    assert is_aside(turn, [left] if left else []) == (was and not any(turn in one for one in back))


def test_an_aside_file_is_named_after_its_turns_and_says_what_is_wrong() -> None:
    turns = TurnRange.parse("2026-11-22-1803-9f3a77c0/7..9")
    assert aside_path(turns) == "memory/aside/2026-11-22-1803-9f3a77c0-7-9.md"
    assert parse_aside(b"---\nturns: 2026-11-22-1803-9f3a77c0/7\n---\n", "x").turns == (
        TurnRange(turns.conversation, 7, 7),
    )
    for text in ("no front", "---\nturns: [7]\n---\n", "---\nturns: x/9..7\n---\n"):
        with pytest.raises(BadFile):
            parse_aside(text.encode(), "x")
