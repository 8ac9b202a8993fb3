from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.errors import BadName
from perdure.companion.names import check_name, companion_email, slug, title_from


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Mira", "mira"),
        ("  Anna  Lena ", "anna-lena"),
        ("小雨", "小雨"),
        ("\uff2d\uff49ra", "mira"),
        ("E\u0301lise", "élise"),
        ("O'Hara", "o-hara"),
        ("../../etc/passwd", "etc-passwd"),
        ("🌊", "1f30a"),
        ("", "companion"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_slugs(name: str, folder: str) -> None:
    assert slug(name) == folder


@given(st.text(st.characters(exclude_categories=())))
def test_a_slug_is_always_a_safe_folder(name: str) -> None:
    folder = slug(name)
    assert folder
    assert not folder.startswith(("-", "."))
    assert not set(folder) & set('/\\:*?"<>|\0\n .~')
    assert len(folder.encode()) <= 100
    assert unicodedata.normalize("NFC", folder) == folder
    assert slug(folder) == folder
    assert companion_email(folder) == f"{folder}@companion.invalid"


@pytest.mark.parametrize(
    "name", ["", "  ", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "a\x1b[2J", "a\u202eb", "x" * 61]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadName) as caught:
        check_name(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["Mira", "Dr. Who?", "小雨", "👩\u200d💻", "O'Hara (2)"])
def test_a_name_that_is_one_is_kept(name: str) -> None:
    assert check_name(f" {name} ") == name


def test_titles() -> None:
    assert title_from("\n\n  Do you\tremember? \nYes.") == "Do you remember?"
    assert title_from("") == title_from("\x1b \n") == ""
    assert title_from("\x1b[31mred\x1b[0m and \x9b1mbold") == "red and bold"
    assert title_from("word " * 30) == "word " * 11 + "word…"
    assert title_from("河" * 80) == "河" * 59 + "…"
    assert title_from("x" * 58 + "e\u0301e\u0301") == "x" * 58 + "…"


@given(st.text(st.characters(exclude_categories=())))
def test_a_title_is_one_short_line(text: str) -> None:
    title = title_from(text)
    assert len(title) <= 60
    assert title == " ".join(title.split())
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in title)
