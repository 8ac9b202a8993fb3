from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.backends.errors import ReplyTooLong
from perdure.backends.hosted.request_form import LIMITS
from perdure.backends.hosted.thoughts import ThoughtSplitter, split_thoughts
from perdure.backends.protocol import (
    BackendSpec,
    Finished,
    Piece,
    Request,
    StreamEvent,
    Thinking,
    ThoughtsClosed,
    Usage,
)

CHANNELS = (
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"
    "Hello.<|return|>"
)
END = Finished("end", Usage(None, None), "tiny")


def split(*pieces: str) -> tuple[str, str, str]:
    """Thoughts, words, and how it ended."""
    splitter = ThoughtSplitter()
    events = [each for piece in pieces for each in splitter.events(Piece(piece))]
    events += splitter.events(END)
    end = events.pop()
    assert isinstance(end, Finished)
    assert all(each.text for each in events if isinstance(each, (Piece, Thinking)))
    thoughts, words = "", ""
    for event in events:
        match event:
            case Thinking():
                thoughts += event.text
            case Piece():
                words += event.text
            case ThoughtsClosed():
                thoughts, words = thoughts + words, ""
    return thoughts, words, end.stop


@pytest.mark.parametrize(
    ("reply", "thoughts", "words"),
    [
        ("Hello.", "", "Hello."),
        (" \n Hello.", "", " \n Hello."),
        ("<think>Hm.</think>Hello.", "Hm.", "Hello."),
        ("\n<think>Hm. </thin no</think>\n\nHello.\n", "Hm. </thin no", "Hello.\n"),
        ("[THINK]Hm.[/THINK] Hello.", "Hm.", "Hello."),
        ("<thinking>Hm.</thinking>\n\nHello.", "Hm.", "Hello."),
        ("<reasoning>Hm.</reasoning>\n\nHello.", "Hm.", "Hello."),
        ("<thought>Hm.</thought>Hello.", "Hm.", "Hello."),
        ("<seed:think>Hm.</seed:think>Hello.", "Hm.", "Hello."),
        ("◁think▷Hm.◁/think▷Hello.", "Hm.", "Hello."),
        ("<think>\n\n</think>\n\nHello.", "\n\n", "Hello."),
        ("<think", "", "<think"),
        ("<thinks aloud> Hello.", "", "<thinks aloud> Hello."),
        ("Say <think>x</think>.", "", "Say <think>x</think>."),
        ("<think>a</think><think>b</think>c", "a", "<think>b</think>c"),
        ("", "", ""),
        ("  ", "", "  "),
        # Channels of gpt-oss.
        (
            CHANNELS,
            "Hm.<|end|><|start|>assistant",
            "Hello.",
        ),
        ("<|channel|>final<|message|>Hello.", "", "Hello."),
        # The last mark alone, where a template wrote the first one.
        ("Hm.\n</think>\n\nHello.", "Hm.\n", "Hello."),
        ("Hm.</think>\n\nHello.", "Hm.", "Hello."),
        ("</think>\n\nHello.", "", "Hello."),
        ("Hm.\n</think>\n", "", "Hm.\n</think>\n"),
        ("One ends them with </think> here.", "", "One ends them with </think> here."),
        ("`<think>`\n</think>\nso.", "", "`<think>`\n</think>\nso."),
        # Marks of a turn's end that were left in.
        ("Hello.<|im_end|>", "", "Hello."),
        ("Hello. \n<|eot_id|> <|im_end|>\n", "", "Hello. \n"),
        ("It ends with <|im_end|>, always.", "", "It ends with <|im_end|>, always."),
        ("Hello.<|im_", "", "Hello.<|im_"),
        ("Hello.</s>", "", "Hello."),
        ("<s>Hell</s>", "", "<s>Hell</s>"),
        ("Hello.<|end_of_text|>", "", "Hello."),
        ("Hello.<\uff5cend\u2581of\u2581sentence\uff5c>", "", "Hello."),
        # Heads of a turn that were left in, and other spellings.
        ("<|im_start|>assistant\nHello.<|im_end|>", "", "Hello."),
        ("<|im_start|>assistant\n<think>Hm.</think>\nHello.", "Hm.", "Hello."),
        ("<think>Hm.</think><|START_RESPONSE|>Hello.<|END_RESPONSE|>", "Hm.", "Hello."),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nHello.", "", "\n\nHello."),
        ("\ufeff<Think>Hm.</THINK>Hello.", "Hm.", "Hello."),
        ("<thoughts>Hm.</thoughts>Hello.", "Hm.", "Hello."),
        ("<think>Hm.</think><|START_RESP", "Hm.", "<|START_RESP"),
        ("<|im_start|>assist", "", "<|im_start|>assist"),
    ],
)
def test_marks_make_thoughts(reply: str, thoughts: str, words: str) -> None:
    for pieces in ([reply], list(reply)):
        found, said, stop = split(*pieces)
        # Thoughts of nothing but blanks are none, however they come.
        assert (found.strip(), said, stop) == (thoughts.strip(), words, "end")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("<think>Never done </th", "Never done </th"),
        ("<think>Hm.[/THINK] Hello.", "Hm.[/THINK] Hello."),
        ("<think>\nShe asks.\n\nIt was loud.", "She asks.\n\nIt was loud."),
    ],
)
def test_thoughts_that_are_never_closed_are_not_lost(reply: str, words: str) -> None:
    for pieces in ([reply], list(reply)):
        _, said, stop = split(*pieces)
        assert (said, stop) == (words, "unclosed")


marked = st.lists(
    st.sampled_from(["<think>", "</think>", "[THINK]", "<|im_end|>", "<", "/", "a", " ", "\n"])
)


@given(marked.map("".join), st.data())
def test_where_the_pieces_are_cut_makes_no_difference(reply: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=5)))
    pieces = [reply[a:b] for a, b in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    cut, whole = split(*[each for each in pieces if each]), split(*filter(None, [reply]))
    assert (cut[0].strip(), *cut[1:]) == (whole[0].strip(), *whole[1:])


def test_words_go_through_as_they_come() -> None:
    splitter = ThoughtSplitter()
    for piece in ("Hel", "lo <think>"):
        assert splitter.events(Piece(piece)) == [Piece(piece)]
    assert splitter.events(Thinking("Hm.")) == [Thinking("Hm.")]


def test_halves_of_a_character_are_joined_in_words_and_thoughts() -> None:
    owl = ("\ud83e", "\udd89")
    for kind in (Piece, Thinking):
        splitter = ThoughtSplitter()
        events = [event for half in owl for event in splitter.events(kind(f"{half}"))]
        assert "".join(each.text for each in events if isinstance(each, kind)) == "\U0001f989"
    lone = [
        *ThoughtSplitter().events(Piece("a\udd89")),
        *ThoughtSplitter().events(Piece("b\ud83ec")),
    ]
    assert "".join(each.text for each in lone if isinstance(each, Piece)) == "a\udd89b\ud83ec"
    cut = ThoughtSplitter()
    assert cut.events(Piece("a\ud83e")) == [Piece("a")]
    assert [each for each in cut.events(END) if isinstance(each, Piece)] == [Piece("\ud83e")]


class Endless:
    """A backend whose reply does not end."""

    spec = BackendSpec("far", "openai", "tiny")

    def __init__(self, *texts: StreamEvent) -> None:
        self.given = 0
        self._texts = texts

    async def context_window(self) -> int:
        return 100_000

    @split_thoughts
    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        for text in self._texts:
            yield text
        while True:
            self.given += 1
            yield Piece("ä" * 512)


async def until_too_long(backend: Endless, request: Request) -> list[StreamEvent]:
    events: list[StreamEvent] = []
    try:
        async for event in backend.stream(request):
            events.append(event)  # noqa: PERF401 - it raises
    except ReplyTooLong:
        return events
    raise AssertionError("the reply ended by itself")


@pytest.mark.parametrize(
    ("tokens", "without", "limit"),
    [
        (1, (), 64 << 10),
        (768, (), (64 << 10) + 768 * 16),
        (768, LIMITS, (64 << 10) + 100_000 * 16),
    ],
)
async def test_a_reply_ends_at_a_bound_that_follows_its_tokens(
    tokens: int, without: tuple[str, ...], limit: int
) -> None:
    backend = Endless(Thinking("Hm. "))
    events = await until_too_long(backend, Request((), tokens, without))
    size = sum(len(each.text.encode()) for each in events if isinstance(each, (Piece, Thinking)))
    assert limit - 4 <= size <= limit + 16
    assert backend.given <= size // 1024 + 1


async def test_thoughts_without_an_end_are_bounded_and_kept() -> None:
    events = await until_too_long(Endless(Piece("<think>")), Request((), 1))
    words = "".join(each.text for each in events if isinstance(each, Piece))
    assert 60_000 < len(words.encode()) <= (64 << 10) + 16
