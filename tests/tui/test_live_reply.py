"""The streaming reply is drawn tail only, and ends as it would be drawn at once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style

from perdure.terminal.glyphs import UNICODE
from perdure.tui.transcript.blocks import Live, Speech
from perdure.tui.transcript.live_reply import LiveReply
from perdure.tui.transcript.painter import Columns, Inks, Painter
from tests.tui.stand_in import ANSWERS

PLAIN = Style()
BITS = st.sampled_from(
    ["word ", "\n", "\n\n", "```", "\n```py\n", "- item\n", "\x1b[31m", "\x9d0;", "\u202e", "字"]
)


def painter(width: int = 80) -> Painter:
    """A painter without colours."""
    inks = Inks(*[PLAIN] * 9)
    return Painter(Columns.of(width), inks, UNICODE, Console(width=width), "ansi_dark")


def rows(live: LiveReply) -> list[str]:
    """What is drawn, as text."""
    return [live.row(number).text.rstrip() for number in range(live.rows)]


@settings(max_examples=60, deadline=None)
@given(st.lists(BITS, max_size=30), st.sampled_from([30, 80, 130]))
def test_rows_fit_and_hold_no_order(pieces: list[str], width: int) -> None:
    """Every row is exactly as wide as the view and free of controls, at every flush."""
    live = LiveReply(Live("Mira"), painter(width), "▌")
    for piece in pieces:
        live.feed(piece)
        settled = live.draw()
        assert 0 <= settled <= live.rows
        for number in range(live.rows):
            strip = live.row(number)
            assert strip.cell_length == width
            assert all(ord(sign) >= 32 and not 127 <= ord(sign) < 160 for sign in strip.text)
            assert "\u202e" not in strip.text


@settings(max_examples=60, deadline=None)
@given(st.lists(BITS, max_size=30))
def test_rows_told_as_settled_did_not_change(pieces: list[str]) -> None:
    """What a flush calls settled looks as it did before it: the screen need not draw it again."""
    live = LiveReply(Live("Mira"), painter(), "▌")
    before = rows(live)
    for piece in pieces:
        live.feed(piece)
        settled = live.draw()
        assert rows(live)[:settled] == before[:settled]
        before = rows(live)


def test_the_caret_stands_after_the_last_word() -> None:
    """One sees where the reply grows."""
    live = LiveReply(Live("Mira"), painter(), "▌")
    live.feed("You said")
    live.draw()
    assert rows(live)[0].endswith("You said▌")


def test_a_repaint_at_another_width_loses_nothing() -> None:
    """Resizing in mid-stream folds what came anew."""
    live = LiveReply(Live("Mira"), painter(), "▌")
    live.feed(ANSWERS[3])
    live.draw()
    live.repaint(painter(40))
    text = "\n".join(rows(live))
    assert "the blue coat" in text
    assert "walk(day)" in text
    assert all(live.row(number).cell_length == 40 for number in range(live.rows))


def test_thinking_is_told_and_gives_way_to_words() -> None:
    """While only reasoning comes, its length is shown; the reply itself replaces it."""
    live = LiveReply(Live("Mira"), painter(), "▌")
    live.think("let me see now")
    live.draw()
    assert "thinking 4 words" in rows(live)[0]
    live.feed("Yes.")
    live.draw()
    assert "thinking" not in "\n".join(rows(live))


def test_a_long_cell_of_a_table_is_folded_and_not_cut() -> None:
    """Letters of two cells and a link without a space: all of it can be read."""
    link = "https://example.org/" + "abcdefghij" * 9
    words = "とても長い説明がここに入りますので折り返しが必要です。" * 3
    text = f"| a | b |\n|---|---|\n| 日本語 | {words} |\n| x | {link} |\n"
    rows = [strip.text for strip in painter(70).paint(Speech("Mira", text, own=False))]
    shown = "".join("".join(rows).split())
    assert "…" not in shown
    assert all(shown.count(each) >= words.count(each) for each in set(words))
    assert sum(map(shown.count, "abcdefghij")) >= 90
