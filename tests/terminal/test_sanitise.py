"""What reaches the terminal holds words and no orders."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.terminal.sanitise import BIDI_MARK, BODY_LIMIT, MARKS_LIMIT, Sanitiser, sanitise

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
BITS = st.sampled_from(
    [
        *"\x1b\x1b\x1b[]P_^X\\;:?0123456789mHJKnc (B\n\t\r\x07\x18\x1a\x7f",
        *"\x90\x98\x9b\x9c\x9d\x9e\x9f\x80\u202e\u2066\u200e\ud800\u200d\ufe0f",
        *"ab é字😀",
    ]
)
NASTY = st.one_of(st.text(), st.lists(BITS, max_size=60).map("".join))


@given(NASTY)
def test_nothing_but_words_newlines_and_tabs_comes_out(text: str) -> None:
    """No control, no bidi control and no lone surrogate is left, whatever went in."""
    assert not FORBIDDEN.search(sanitise(text))


@given(st.lists(NASTY, max_size=8), st.integers(min_value=1, max_value=5))
def test_any_split_gives_what_the_whole_gives(pieces: list[str], step: int) -> None:
    """Where a stream is cut makes no difference to what is shown."""
    whole = sanitise("".join(pieces))
    cleaner = Sanitiser()
    assert "".join([*map(cleaner.feed, pieces), cleaner.end()]) == whole
    text = "".join(pieces)
    finer = [text[at : at + step] for at in range(0, len(text), step)]
    cleaner = Sanitiser()
    assert "".join([*map(cleaner.feed, finer), cleaner.end()]) == whole


@given(st.text())
def test_harmless_text_is_untouched(text: str) -> None:
    """Text without any of the forbidden characters passes as it is, joiners included."""
    harmless = FORBIDDEN.sub("", text)
    assert sanitise(harmless) == harmless


@given(NASTY)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """What is clean stays as it is, so a second pass on a screen costs no words."""
    assert sanitise(sanitise(text)) == sanitise(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("a\x9b31mb", "ab"),
        ("\x1b]52;c;ZXZpbA==\x07paste", "paste"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("\x1b]8;;https://e.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPq#0;2\x1b\\after", "after"),
        ("\x1b_Gf=24\x1b\\after", "after"),
        ("\x1b^pm\x1b\\after", "after"),
        ("\x1bXsos\x1b\\after", "after"),
        ("\x1b[6n", ""),
        ("\x1b[?1049h\x1b[2J\x1b[H", ""),
        ("\x1bc\x1b(0qqq", "qqq"),
        ("ring\x07 back\x08space\x7f", "ring backspace"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("pay \u202egnp.exe", f"pay {BIDI_MARK}gnp.exe"),
        ("\U0001f469\u200d\U0001f680 \u2764\ufe0f", "\U0001f469\u200d\U0001f680 \u2764\ufe0f"),
        ("bad\ud800half", "bad\ufffdhalf"),
    ],
)
def test_known_payloads(text: str, shown: str) -> None:
    """Each family of sequence goes as a whole and leaves the words around it."""
    assert sanitise(text) == shown


def test_an_unterminated_control_string_takes_its_line_and_no_more() -> None:
    """A reply that opens an OSC and never closes it loses that line, not the rest of the talk."""
    assert sanitise("a\x1b]0;never closed\nnext line") == "a\nnext line"


def test_an_overlong_body_is_bounded() -> None:
    """What is dropped of an unterminated string is bounded even without a line break."""
    text = "\x1b]52;" + "x" * (BODY_LIMIT * 2)
    assert len(sanitise(text)) == BODY_LIMIT * 2 + 3 - BODY_LIMIT


def test_quotation_marks_decoded_as_latin_1_lose_no_words() -> None:
    """Broken imports hold U+009D where a quotation mark was: only the control goes."""
    broken = "she said “yes” and then left".encode().decode("latin-1")
    assert sanitise(broken).endswith("and then left")


def test_a_cut_sequence_is_held_until_it_is_whole() -> None:
    """The first half of a sequence is not shown, and its second half is not text."""
    cleaner = Sanitiser()
    assert cleaner.feed("a\x1b[3") == "a"
    assert cleaner.feed("1mb") == "b"
    assert cleaner.feed("\x1b") == ""
    assert cleaner.end() == ""


def test_the_bidi_mark_can_be_seen() -> None:
    """The stand-in for a hidden control is itself a visible sign."""
    assert unicodedata.category(BIDI_MARK).startswith("S")


@pytest.mark.parametrize(
    "flood", ["\x90", "\x90\x98\x9d\x9e\x9f", "\x1bP\x90", "\x9b", "\x90" + "a" * 9]
)
def test_a_flood_of_introducers_is_looked_at_once(flood: str) -> None:
    """No introducer looks behind the next one: what is said behind it stays readable."""
    text = flood * 200_000
    assert set(sanitise(text)) <= {"a"}
    cleaner = Sanitiser()
    pieces = [cleaner.feed(text[at : at + 3]) for at in range(0, 60_000, 3)]
    assert max(map(len, pieces)) <= 3 + len(flood)


def test_a_held_control_string_is_not_looked_through_again() -> None:
    cleaner = Sanitiser()
    assert cleaner.feed("\x1b]52;c;") == ""
    assert "".join(map(cleaner.feed, "A" * 2000)) == ""
    assert cleaner.feed("\x07after") == "after"


def test_marks_on_one_letter_are_bounded_however_they_come() -> None:
    text = "Z" + "\u0301" * 2000 + "algo e\u0301"
    shown = "Z" + "\u0301" * MARKS_LIMIT + "algo e\u0301"
    assert sanitise(text) == shown
    cleaner = Sanitiser()
    assert "".join(map(cleaner.feed, text)) + cleaner.end() == shown
