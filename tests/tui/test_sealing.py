"""A streamed reply is cut without losing or changing a character."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perdure.tui.transcript.live_reply import StreamedText

BITS = st.sampled_from(
    ["word ", "\n", "\n\n", "```", "```py\n", "~~~\n", "- item", "   ", "`", "é", "x" * 700]
)


@given(st.lists(BITS, max_size=40))
def test_nothing_is_lost_or_changed(pieces: list[str]) -> None:
    """Sealed pieces and the tail are the text that came, at every moment."""
    streamed, text = StreamedText(), ""
    for piece in pieces:
        streamed.feed(piece)
        text += piece
        assert streamed.text == text


@given(st.lists(BITS, max_size=40))
def test_what_is_sealed_stays(pieces: list[str]) -> None:
    """A sealed piece never changes afterwards: its rows can be kept."""
    before: list[str] = []
    streamed = StreamedText()
    for piece in pieces:
        streamed.feed(piece)
        assert streamed.sealed[: len(before)] == before
        before = list(streamed.sealed)


def test_a_blank_line_seals() -> None:
    """Paragraphs are done when the next one begins."""
    streamed = StreamedText()
    streamed.feed("one\n\ntwo")
    assert (streamed.sealed, streamed.tail) == (["one\n\n"], "two")


def test_a_blank_line_inside_a_fence_does_not_seal() -> None:
    """Code with empty lines stays one block until it is closed."""
    streamed = StreamedText()
    streamed.feed("before\n```py\na\n\nb\n")
    assert (streamed.sealed, streamed.open_fence) == (["before\n"], True)
    streamed.feed("```\nafter")
    assert streamed.sealed[-1] == "```py\na\n\nb\n```\n"
    assert (streamed.tail, streamed.open_fence) == ("after", False)


def test_a_longer_fence_holds_a_shorter_one() -> None:
    """Four backticks are not closed by three."""
    streamed = StreamedText()
    streamed.feed("````\n```\ninside\n```\n")
    assert streamed.open_fence
    streamed.feed("````\n")
    assert not streamed.open_fence


def test_an_endless_paragraph_is_cut() -> None:
    """Text without a break does not make each flush dearer than the one before."""
    streamed = StreamedText()
    for _ in range(3000):
        streamed.feed("word ")
    assert len(streamed.tail) < 5000
    assert streamed.text == "word " * 3000
