"""Whatever bytes a terminal sends: nothing ends, nothing is changed by chance."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.message import Message

from perdure.tui.terminal.input import PASTE_LIMIT, TerminalInput
from tests.pseudo_terminal import Terminal, on_a_terminal

_PIECES = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [
            b"\x1b",
            b"\x1b[",
            b"\x1b[200~",
            b"\x1b[201~",
            b"\x1b[99999999999;1u",
            b"\x1b[1114112u",
            b"\x1b[55296u",
            b"\x1b[97;1;55296u",
            b"\x1b[1:2;1:3u",
            b"\x1b[97:65;2:3u",
            b"\x1b[<0;5;5M",
            b"\x1b[<999999;99999999;99999999M",
            b"\x1b[<-1;-1;m",
            b"\x1b[M\xff\xff\xff",
            b"\x1b[48;0;0;0;0t",
            b"\x1b[48;99999999;99999999;1;1t",
            b"\x1b]11;rgb:ff/ff/ff\x07",
            b"\x1bP1$r0m\x1b\\",
            b"\x1b[?2026;1$y",
            b"\x1b[12;5R",
        ]
    ),
)


def told(source: TerminalInput, *reads: bytes, ticks: int = 40) -> list[Message]:
    """All events of some reads, after which nothing comes."""
    found = [event for data in reads for event in source.feed(data)]
    for _ in range(ticks):
        found.extend(source.tick())
    return found


def keys(*reads: bytes) -> list[str]:
    """The keys that were understood."""
    return [each.key for each in told(TerminalInput(), *reads) if isinstance(each, events.Key)]


def pasted(*reads: bytes) -> list[str]:
    """The pastes that were understood."""
    return [each.text for each in told(TerminalInput(), *reads) if isinstance(each, events.Paste)]


@given(st.lists(_PIECES, max_size=12))
def test_any_bytes_in_any_pieces_are_survived(reads: list[bytes]) -> None:
    """And what is typed afterwards is understood."""
    source = TerminalInput()
    told(source, *reads)
    told(source, b"\x1b[201~\x18")
    after = told(source, b"z")
    assert [each.key for each in after if isinstance(each, events.Key)][-1:] == ["z"]
    for each in after:
        if isinstance(each, events.Key):
            (each.character or "").encode()


@pytest.mark.parametrize(
    ("reads", "wanted"),
    [
        ((b"aZ ",), ["a", "Z", "space"]),
        ((b"\x1b[A\x1b[B\x1bOP",), ["up", "down", "f1"]),
        ((b"\x1b", b"[A"), ["up"]),
        ((b"\x1b[", b"A"), ["up"]),
        ((b"\x1b",), ["escape"]),
        ((b"\x1b\x1b",), ["escape", "escape"]),
        ((b"\x1bx",), ["alt+x"]),
        ((b"\x1b]",), ["right_square_bracket"]),
        ((b"\xe6\x97", b"\xa5"), ["日"]),
        ((b"\x1b[97;5u",), ["ctrl+a"]),
        ((b"\r\n\t\x7f",), ["enter", "ctrl+j", "tab", "backspace"]),
    ],
)
def test_keys_are_those_that_textual_knows(reads: tuple[bytes, ...], wanted: list[str]) -> None:
    assert keys(*reads) == wanted


@pytest.mark.parametrize(
    "sequence",
    [
        b"\x1b[999x",
        b"\x1b]11;rgb:ffff/x/z\x07",
        b"\x1b]11;rgb:ffff/x/z\x1b\\",
        b"\x1bP>|xterm(1)\x1b\\",
        b"\x1b_zZx\x1b\\",
        b"\x1b[M x!",
        b"\x1b[M\xff\xfe\xfd",
        b"\x1b[99999999999;1u",
        b"\x1b[1:2;1:3u",
        b"\x1b[<-1;-1;-1m",
    ],
)
def test_no_letter_of_an_unknown_sequence_is_a_key(sequence: bytes) -> None:
    """`x` sets a turn aside; it must not come from the middle of a terminal's answer."""
    assert keys(sequence, b"k") == ["k"]
    halves = sequence[: len(sequence) // 2], sequence[len(sequence) // 2 :]
    assert keys(*halves, b"k") == ["k"]


def test_letters_of_another_encoding_are_words_and_no_keys() -> None:
    """The second byte of a letter in GBK may be that of a command."""
    letter = "渪".encode("gbk")
    assert letter[1:2] == b"x"
    assert keys(letter) == []
    assert pasted(letter) == ["\ufffdx"]
    assert pasted(b"\xff") == ["\ufffd"]


@given(st.text(max_size=80), st.lists(st.integers(0, 120), max_size=4))
def test_a_paste_is_whole_however_it_is_cut(text: str, cuts: list[int]) -> None:
    """Also through the middle of a letter and of its marks; what it holds is never a key."""
    words = "".join(each for each in text if each >= " " and not "\x7f" <= each <= "\x9f")
    data = b"\x1b[200~" + words.encode() + b"\x1b[201~"
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    reads = [data[a:b] for a, b in pairwise(ends)]
    source = TerminalInput()
    found = [each for read in reads for each in source.feed(read)]
    assert [each.text for each in found if isinstance(each, events.Paste)] == [words] * bool(words)
    assert not [each for each in found if isinstance(each, events.Key)]


def test_what_a_paste_orders_the_terminal_is_left_out() -> None:
    sent = b"\x1b[200~a\x00\x1b]52;c;eA==\x07b\r\nc\xff\x1b[201~"
    assert pasted(sent) == ["a]52;c;eA==b\nc\ufffd"]


def test_a_paste_without_an_end_is_taken_and_keys_work_again() -> None:
    """The rest of one that stood still is a paste too, and sends nothing."""
    source = TerminalInput()
    first = told(source, b"\x1b[200~first\r", ticks=40)
    assert [each.text for each in first if isinstance(each, events.Paste)] == ["first\n"]
    later = told(source, b"the rest\rof it\x1b[201~", ticks=2)
    assert [each.text for each in later if isinstance(each, events.Paste)] == ["the rest\nof it"]
    source = TerminalInput()
    told(source, b"\x1b[200~first", ticks=40)
    assert [each.key for each in told(source, b"k") if isinstance(each, events.Key)] == ["k"]


def test_a_giant_paste_is_bounded_and_told() -> None:
    source = TerminalInput()
    data = b"\x1b[200~" + b"x" * (PASTE_LIMIT + 7) + b"\x1b[201~"
    found = [each for at in range(0, len(data), 4096) for each in source.feed(data[at : at + 4096])]
    (paste,) = found
    assert isinstance(paste, events.Paste)
    assert len(paste.text) == PASTE_LIMIT
    assert source.cut == 7


# The whole program


@contextmanager
def talking(draft: Path) -> Iterator[Terminal]:
    """The program, once its message box is there."""
    command = [sys.executable, "-m", "tests.tui.on_a_terminal", str(draft)]
    with on_a_terminal(command, environ={"TEXTUAL_ANIMATIONS": "none"}) as terminal:
        terminal.until("Write to")
        yield terminal


_JUNK = (
    b"\xff",
    b"\xc3",
    b"\xe1\x80",
    "你好，世界".encode("gbk"),
    "déjà vu".encode("latin-1"),
    b"\x00\x1c\x1d\x1e\x1f\x80\x9b\xa0",
    b"\x1b[99999999999;1u\x1b[55296u\x1b[1:2;1:3u\x1b[1114112u",
    b"\x1b[<0;999999;999999M\x1b[<64;50;5M\x1b[<999;1;1M\x1b[M\xff\xff\xff\x1b[<-1;-1;-1m",
    b"\x1b]11;rgb:ff/ff/ff\x07\x1bP1$r0m\x1b\\\x1b[?2048;4$y\x1b[9999;9999R",
    b"\x1b[48;0;0;0;0t\x1b[48;99999999;99999999;1;1t",
    b"\x1b[200~a\x00\x1b[31mb\r\nc\xff \xed\xa0\x80\x1b[201~",
    b"\x1b[200~" + b"many words " * 3000 + b"\x1b[201~",
)


def test_the_program_survives_them_and_ends_as_it_should(tmp_path: Path) -> None:
    """Every odd byte, then words, then ctrl+q: exit code 0, the words are the draft."""
    draft = tmp_path / "draft.txt"
    with talking(draft) as terminal:
        terminal.send(b"a careful draft ")
        for junk in _JUNK:
            terminal.send(junk)
        terminal.send(b" still here")
        terminal.send(b"\x11")
        assert terminal.ended() == 0
        assert b"Traceback" not in terminal.shown
    kept = draft.read_text()
    assert kept.startswith("a careful draft \ufffd")
    assert kept.endswith(" still here")
    assert "\x1b" not in kept


def test_a_terminal_that_is_closed_ends_it_and_keeps_the_draft(tmp_path: Path) -> None:
    """Without a hangup, as in a container: nothing spins, nothing hangs."""
    draft = tmp_path / "draft.txt"
    with talking(draft) as terminal:
        terminal.send(b"half a thought")
        terminal.until("half a thought")
        terminal.close()
        assert terminal.process.wait() == 0
    assert draft.read_text() == "half a thought"
