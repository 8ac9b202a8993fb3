from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.conversation.chunk import parse_chunk_path, parse_chunks, render_chunk
from perdure.companion.conversation.edit import (
    ChunkFiles,
    add_answer,
    alternatives_path,
    answers,
    choose_answer,
    edit_message,
    edit_reply,
)
from perdure.companion.conversation.merge import merge_conversations
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Chunk, ChunkHead, Message, Reply, Turn
from perdure.git.merge.sides import ThreeWay
from tests.companion import values

PATH = "conversations/2026-11/22/2026-11-22-1803-0001-9f3a77c0.md"
OTHER = alternatives_path(PATH)
HEAD = ChunkHead(ConversationId("2026-11-22-1803-9f3a77c0"), 1, "River", ("Ana", "Mira"))
AT = datetime(2026, 11, 22, 18, 3, 12, tzinfo=UTC)


def turn(number: int, text: str = "", reply: str = "") -> Turn:
    said = (Reply("Mira", reply or f"reply {number}", AT),)
    return Turn(number, Message("Ana", text or f"message {number}", AT), said)


def chunk(*turns: Turn) -> bytes:
    return render_chunk(HEAD, turns)


Files = Mapping[str, bytes]


def merged(base: Files, ours: Files, theirs: Files) -> dict[str, bytes]:
    """What the whole tree comes to hold."""
    paths = sorted({*base, *ours, *theirs})

    def read(path: str) -> ThreeWay:
        return ThreeWay(path, base.get(path), ours.get(path), theirs.get(path))

    differing = [read(path) for path in paths if ours.get(path) != theirs.get(path)]
    result = {**ours, **merge_conversations(differing, read)}
    return {path: data for path, data in result.items() if data is not None}


def chunks(files: Files) -> list[Chunk]:
    return [parsed for path, data in sorted(files.items()) for parsed in parse_chunks(data, path)]


def texts(files: Files) -> set[str]:
    found = set()
    for parsed in chunks(files):
        for said in parsed.turns:
            found |= {reply.text for reply in said.replies}
            found |= {said.message.text} if said.message else set()
    return found


def added(files: Files, known: Iterable[str]) -> tuple[str, Chunk]:
    (path,) = set(files) - set(known)
    (parsed,) = parse_chunks(files[path], path)
    assert parsed.troubles == ()
    return path, parsed


def test_turns_that_only_one_side_added_are_simply_there() -> None:
    base, more = {PATH: chunk(turn(1))}, {PATH: chunk(turn(1), turn(2))}
    assert merged(base, base, more) == merged(base, more, base) == more


def test_two_tails_keep_ours_and_theirs_goes_on_as_a_conversation() -> None:
    ours = {PATH: chunk(turn(1), turn(2, "ours"))}
    theirs = {PATH: chunk(turn(1), turn(2, "theirs"), turn(3))}
    result = merged({PATH: chunk(turn(1))}, ours, theirs)
    assert result[PATH] == ours[PATH]
    path, parsed = added(result, ours)
    assert parsed.head.continues == TurnId(HEAD.conversation, 1)
    assert parsed.head.title == "River"
    assert [said.number for said in parsed.turns] == [1, 2]
    first = parsed.turns[0]
    assert first.message is not None
    assert first.message.text == "theirs"
    assert first.message.notes == {"was": f"{HEAD.conversation}/2"}
    assert first.replies[0].notes == {"was": f"{HEAD.conversation}/2~1"}
    assert parse_chunk_path(path) == (parsed.head.conversation, 1)


def test_a_longer_tail_of_the_same_turns_is_taken_as_it_is() -> None:
    ours = {PATH: chunk(turn(1), turn(2))}
    theirs = {PATH: chunk(turn(1), turn(2), turn(3))}
    assert merged({PATH: chunk(turn(1))}, ours, theirs) == theirs


def test_a_turn_edited_on_both_keeps_ours_and_makes_theirs_an_alternative() -> None:
    base = {PATH: chunk(turn(1))}
    ours = {PATH: chunk(turn(1, reply="ours"))}
    theirs = {PATH: chunk(turn(1, reply="theirs"))}
    result = merged(base, ours, theirs)
    assert result[PATH] == ours[PATH]
    shown, other = answers(ChunkFiles(PATH, result[PATH], result[OTHER]), 1)
    assert (shown.number, shown.shown, other.number, other.shown) == (1, True, 2, False)
    assert other.replies[0].text == "theirs"
    assert other.replies[0].notes == {"was": f"{HEAD.conversation}/1~1"}


def test_one_message_answered_on_both_sides_of_an_older_past_stays_one_turn() -> None:
    base = {PATH: chunk(turn(1))}
    ours = {PATH: chunk(turn(1), turn(2, reply="here"))}
    theirs = {PATH: chunk(turn(1), turn(2, reply="there"), turn(3))}
    got = merged(base, ours, theirs)
    assert set(got) == {PATH, OTHER}
    assert got[PATH] == chunk(turn(1), turn(2, reply="here"), turn(3))
    (other,) = parse_chunks(got[OTHER])
    assert [[reply.text for reply in each.replies] for each in other.turns] == [["there"]]
    unanswered = {PATH: chunk(turn(1), Turn(2, turn(2).message))}
    assert merged(base, unanswered, theirs) == theirs


def test_a_message_edited_on_both_keeps_ours_and_the_other_wording() -> None:
    base = {PATH: chunk(turn(1))}
    ours, theirs = {PATH: chunk(turn(1, "ours"))}, {PATH: chunk(turn(1, "theirs"))}
    result = merged(base, ours, theirs)
    assert result[PATH] == ours[PATH]
    (parsed,) = parse_chunks(result[OTHER], OTHER)
    assert parsed.turns == (Turn(1, Message("Ana", "theirs", AT)),)


def test_an_edit_here_and_new_turns_there_both_hold() -> None:
    base = {PATH: chunk(turn(1))}
    ours, theirs = {PATH: chunk(turn(1, "edited"))}, {PATH: chunk(turn(1), turn(2))}
    wanted = {PATH: chunk(turn(1, "edited"), turn(2))}
    assert merged(base, ours, theirs) == merged(base, theirs, ours) == wanted


def test_two_regenerated_answers_are_both_there_under_numbers_of_their_own() -> None:
    files = ChunkFiles(PATH, chunk(turn(1)))

    def regenerated(text: str) -> Files:
        new = add_answer(files, 1, [Reply("Mira", text, AT)])
        return {PATH: new.chunk, OTHER: new.alternatives or b""}

    result = merged({PATH: files.chunk}, regenerated("ours"), regenerated("theirs"))
    found = answers(ChunkFiles(PATH, result[PATH], result[OTHER]), 1)
    said = [(a.number, a.replies[0].text, a.shown) for a in found]
    assert said == [(1, "reply 1", False), (2, "ours", True), (3, "theirs", False)]


def test_what_went_on_from_a_moved_turn_goes_on_from_where_it_is_now() -> None:
    later = "conversations/2026-11/23/2026-11-23-0900-0001-04bd11f2.md"
    head = ChunkHead(
        ConversationId("2026-11-23-0900-04bd11f2"), 1, continues=TurnId(HEAD.conversation, 2)
    )
    ours = {PATH: chunk(turn(1), turn(2, "ours"))}
    theirs = {PATH: chunk(turn(1), turn(2, "theirs")), later: render_chunk(head, [turn(1)])}
    result = merged({PATH: chunk(turn(1))}, ours, theirs)
    (parsed,) = parse_chunks(result[later], later)
    _, apart = added(result, {PATH, later})
    assert parsed.head.continues == TurnId(apart.head.conversation, 1)
    assert parsed.turns == (turn(1),)


def test_an_end_that_was_moved_is_joined_where_it_is_now() -> None:
    later = "conversations/2026-11/23/2026-11-23-0900-0001-04bd11f2.md"
    other = TurnId(ConversationId("2026-11-21-2211-04bd11f2"), 31)
    ends = (TurnId(HEAD.conversation, 2), TurnId(HEAD.conversation, 1))
    head = ChunkHead(ConversationId("2026-11-23-0900-04bd11f2"), 1, continues=other, joins=ends)
    ours = {PATH: chunk(turn(1), turn(2, "ours"))}
    theirs = {PATH: chunk(turn(1), turn(2, "theirs")), later: render_chunk(head, [turn(1)])}
    result = merged({PATH: chunk(turn(1))}, ours, theirs)
    (parsed,) = parse_chunks(result[later], later)
    _, apart = added(result, {PATH, later})
    assert parsed.head.continues == other
    assert parsed.head.joins == (TurnId(apart.head.conversation, 1), ends[1])


def test_a_damaged_side_is_kept_as_it_is_and_theirs_words_go_apart() -> None:
    base = {PATH: chunk(turn(1))}
    ours = {PATH: chunk(turn(1)) + b"\nstray words of mine\n"}
    theirs = {PATH: chunk(turn(1), turn(2, "theirs"))}
    result = merged(base, ours, theirs)
    assert result[PATH] == ours[PATH]
    _, parsed = added(result, ours)
    assert [said.message and said.message.text for said in parsed.turns] == ["theirs"]


def test_a_chunk_that_both_began_anew_leaves_no_turn_of_theirs_in_between() -> None:
    """Their second chunk holds turns whose numbers ours has in its first one."""
    second = PATH.replace("-0001-", "-0002-").replace("/22/", "/23/")
    ours = {PATH: chunk(turn(1), turn(2, "ours"), turn(3, "ours too"))}
    theirs = {
        PATH: chunk(turn(1), turn(2, "theirs")),
        second: render_chunk(replace(HEAD, chunk=2), [turn(3, "theirs too")]),
    }
    result = merged({PATH: chunk(turn(1))}, ours, theirs)
    assert result[PATH] == ours[PATH]
    assert second not in result
    _, parsed = added(result, ours)
    assert [said.message and said.message.text for said in parsed.turns] == ["theirs", "theirs too"]


def lives(draw: st.DrawFn, start: ChunkFiles, names: list[int]) -> ChunkFiles:
    """One side's changes since the common past."""
    files = start
    for step in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["turn", "answer", "choose", "message", "reply"]))
        (parsed,) = parse_chunks(files.chunk)
        last = parsed.turns[-1].number
        text = draw(values.texts) + f" {len(names)} {step}"
        names.append(step)
        number = draw(st.sampled_from([said.number for said in parsed.turns]))
        if kind == "turn":
            new = Turn(last + 1, Message("Ana", text), (Reply("Mira", f"re {text}"),))
            files = replace(files, chunk=render_chunk(parsed.head, [*parsed.turns, new]))
        elif kind == "answer":
            files = add_answer(files, number, [Reply("Mira", text)], shown=draw(st.booleans()))
        elif kind == "choose":
            known = [answer.number for answer in answers(files, number)]
            files = choose_answer(files, number, draw(st.sampled_from(known)))
        elif kind == "message":
            files = edit_message(files, number, text)
        else:
            files = edit_reply(files, number, text)
    return files


def as_files(files: ChunkFiles) -> dict[str, bytes]:
    found = {files.path: files.chunk}
    return found | ({OTHER: files.alternatives} if files.alternatives is not None else {})


@st.composite
def three_lives(draw: st.DrawFn) -> tuple[Files, Files, Files]:
    names: list[int] = []
    start = ChunkFiles(PATH, chunk(*(turn(n) for n in range(1, draw(st.integers(1, 3)) + 1))))
    base = lives(draw, start, names)
    return as_files(base), as_files(lives(draw, base, names)), as_files(lives(draw, base, names))


@given(three_lives())
def test_no_word_of_either_life_is_lost(three: tuple[Files, Files, Files]) -> None:
    base, ours, theirs = three
    result = merged(base, ours, theirs)
    new = (texts(ours) | texts(theirs)) - texts(base)
    assert new | (texts(ours) & texts(theirs)) <= texts(result)
    assert texts(result) <= texts(ours) | texts(theirs)
    for path, data in result.items():
        (parsed,) = parse_chunks(data, path)
        assert parsed.troubles == ()
        assert render_chunk(parsed.head, parsed.turns) == data
    again = merged(base, ours, theirs)
    assert again == result
    assert merged(base, ours, ours) == ours
    assert merged(base, ours, base) == ours
    assert merged(base, base, theirs) == theirs
    assert merged(theirs, result, theirs) == result, "what is merged already changes nothing"
    ids = [
        (parsed.head.conversation, said.number, reply.answer, reply.speaker)
        for parsed in chunks(result)
        for said in parsed.turns
        for reply in said.replies
    ]
    assert len(set(ids)) == len(ids), "an id is there once"


whole = st.builds(render_chunk, st.just(HEAD), values.turn_lists())
anything = st.one_of(
    st.none(), whole, whole, st.binary(max_size=60), st.builds(bytes.__add__, whole, whole)
)


@given(st.lists(anything, min_size=6, max_size=6))
def test_every_three_versions_come_to_one(contents: list[bytes | None]) -> None:
    sides: list[dict[str, bytes]] = [{}, {}, {}]
    for place, data in enumerate(contents):
        if data is not None:
            sides[place % 3][PATH if place < 3 else OTHER] = data
    base, ours, theirs = sides
    result = merged(base, ours, theirs)
    assert merged(base, ours, theirs) == result
    new = (texts(ours) | texts(theirs)) - texts(base)
    assert new | (texts(ours) & texts(theirs)) <= texts(result)
