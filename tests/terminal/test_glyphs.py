"""Signs fit the terminal they are drawn on."""

from __future__ import annotations

from dataclasses import fields

import pytest

from perdure.terminal.glyphs import ASCII, UNICODE, choose_glyphs, wants_colour


def test_the_ascii_set_is_ascii() -> None:
    """Not one sign of the plain set needs more than seven bits."""
    assert all(getattr(ASCII, field.name).isascii() for field in fields(ASCII))


@pytest.mark.parametrize(
    ("environ", "encoding", "ascii_set"),
    [
        ({}, "utf-8", False),
        ({}, "UTF8", False),
        ({}, "ISO-8859-1", True),
        ({}, "ANSI_X3.4-1968", True),
        ({"TERM": "dumb"}, "utf-8", True),
        ({"PERDURE_ASCII": "1"}, "utf-8", True),
        ({"PERDURE_ASCII": "0"}, "utf-8", False),
    ],
)
def test_the_set_follows_the_terminal(
    environ: dict[str, str], encoding: str, *, ascii_set: bool
) -> None:
    """Locale, TERM and PERDURE_ASCII decide, in favour of what can surely be read."""
    assert choose_glyphs(environ, encoding) is (ASCII if ascii_set else UNICODE)


@pytest.mark.parametrize(
    ("environ", "colour"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_no_color_is_honoured(environ: dict[str, str], *, colour: bool) -> None:
    """Colour is given up where the user asked for it or the terminal has none."""
    assert wants_colour(environ) is colour
