from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.backends.protocol import Finished, Piece, StreamEvent, Thinking, Usage
from perdure.backends.thoughts import Splitter

END = Finished("end", Usage(None, None), "tiny")


def split(*pieces: str) -> tuple[str, str]:
    """Thoughts and words."""
    splitter = Splitter()
    events = [each for piece in pieces for each in splitter.events(Piece(piece))]
    *events, end = [*events, *splitter.events(END)]
    assert end is END
    assert all(each.text for each in events if isinstance(each, (Piece, Thinking)))
    return joined(events, Thinking), joined(events, Piece)


def joined(events: list[StreamEvent], kind: type[Piece | Thinking]) -> str:
    return "".join(each.text for each in events if isinstance(each, kind))


@pytest.mark.parametrize(
    ("reply", "thoughts", "words"),
    [
        ("Hello.", "", "Hello."),
        (" \n Hello.", "", " \n Hello."),
        ("<think>Hm.</think>Hello.", "Hm.", "Hello."),
        ("\n<think>Hm. </thin no</think>\n\nHello.\n", "Hm. </thin no", "Hello.\n"),
        ("[THINK]Hm.[/THINK] Hello.", "Hm.", "Hello."),
        ("<think>Hm.[/THINK] Hello.", "Hm.[/THINK] Hello.", ""),
        ("<think>\n\n</think>\n\nHello.", "\n\n", "Hello."),
        ("<think>Never done </th", "Never done </th", ""),
        ("<think", "", "<think"),
        ("<thinks aloud> Hello.", "", "<thinks aloud> Hello."),
        ("Say <think>x</think>.", "", "Say <think>x</think>."),
        ("<think>a</think><think>b</think>c", "a", "<think>b</think>c"),
        ("", "", ""),
        ("  ", "", "  "),
    ],
)
def test_marks_at_the_front_make_thoughts(reply: str, thoughts: str, words: str) -> None:
    for pieces in ([reply], list(reply)):
        found, said = split(*pieces)
        # Thoughts of nothing but blanks are none, however they come.
        assert (found.strip(), said) == (thoughts.strip(), words)


marked = st.lists(st.sampled_from(["<think>", "</think>", "[THINK]", "<", "/", "a", " ", "\n"]))


@given(marked.map("".join), st.data())
def test_where_the_pieces_are_cut_makes_no_difference(reply: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=5)))
    pieces = [reply[a:b] for a, b in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    cut, whole = split(*[each for each in pieces if each]), split(*filter(None, [reply]))
    assert (cut[0].strip(), cut[1]) == (whole[0].strip(), whole[1])


def test_words_go_through_as_they_come() -> None:
    splitter = Splitter()
    for piece in ("Hel", "lo <think>"):
        assert splitter.events(Piece(piece)) == [Piece(piece)]
    assert splitter.events(Thinking("Hm.")) == [Thinking("Hm.")]
