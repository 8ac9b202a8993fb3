"""Lore entries as files."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perdure.companion.errors import BadFile, FileTrouble
from perdure.companion.memory.lore import LoreEntry, edit_entry, read_entry, read_lore, render_entry

PATH = "lore/river.md"
FILE = b"""---
# from the old card
keys:
  - river
  - "the Isar"   # her name for it
secondary_keys: [night, "tired, late"]
priority: 10
sillytavern:
  uid: 7
position: 4
---

The river behind the house
only sounds loud at night.
"""

_line = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20
).filter(lambda text: text == text.strip())
_keys = st.lists(_line.filter(bool), max_size=3, unique=True).map(tuple)
_numbers = st.integers(-(10**9), 10**9)
_texts = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=60)
    .map(str.rstrip)
    .map(lambda text: text.lstrip("\n"))
)
entries = st.builds(
    LoreEntry,
    path=st.just(PATH),
    keys=_keys,
    text=_texts,
    secondary_keys=_keys,
    secondary_logic=st.sampled_from(["and_any", "and_all", "not_any", "not_all"]),
    regex=st.just(False),
    case_sensitive=st.booleans(),
    whole_words=st.booleans(),
    constant=st.booleans(),
    enabled=st.booleans(),
    priority=_numbers,
    order=_numbers,
    position=st.one_of(st.sampled_from(["before", "after"]), st.integers(0, 9999)),
    scan_depth=st.none() | st.integers(0, 1000),
    exclude_recursion=st.booleans(),
    prevent_recursion=st.booleans(),
    probability=st.integers(0, 100),
    title=_line,
)


@given(entries)
def test_an_entry_reads_back_as_it_was_written(entry: LoreEntry) -> None:
    troubles: list[FileTrouble] = []
    assert read_entry(render_entry(entry), PATH, troubles) == entry


@settings(max_examples=40)
@given(entries, entries)
def test_any_edit_of_any_file_reads_back(before: LoreEntry, after: LoreEntry) -> None:
    assert read_entry(edit_entry(render_entry(before), after), PATH) == after


@settings(max_examples=40)
@given(entries)
@example(LoreEntry(PATH, title="a\x85b"))
@example(LoreEntry(PATH, title="a\u2028b\u2029\x9f\ufeff"))
@example(LoreEntry(PATH, title="\x85"))
@example(LoreEntry(PATH, keys=("a\x85b", "c\u2028d"), text="a\x85b"))
def test_an_edit_keeps_what_is_not_ours(entry: LoreEntry) -> None:
    edited = edit_entry(FILE, entry)
    assert b"sillytavern:\n  uid: 7\n" in edited
    assert b"# from the old card" in edited
    assert read_entry(edited, PATH) == entry


@given(st.binary(max_size=200), st.binary(max_size=80))
def test_no_bytes_break_the_reader(front: bytes, body: bytes) -> None:
    found, troubles = read_lore({PATH: b"---\n" + front + b"\n---\n" + body, "lore/b.md": FILE})
    assert found[-1].path in {PATH, "lore/b.md"}
    assert any(entry.path == "lore/b.md" for entry in found)
    assert all(trouble.path == PATH for trouble in troubles)


def test_a_whole_file_is_read() -> None:
    (entry,), troubles = read_lore({PATH: FILE})
    assert troubles == ()
    assert entry == LoreEntry(
        PATH,
        keys=("river", "the Isar"),
        secondary_keys=("night", "tired, late"),
        priority=10,
        position=4,
        text="The river behind the house\nonly sounds loud at night.",
    )


def test_one_changed_value_is_one_changed_line() -> None:
    edited = edit_entry(FILE, replace(read_entry(FILE, PATH), priority=11))
    assert edited == FILE.replace(b"priority: 10", b"priority: 11")
    same = edit_entry(FILE, replace(read_entry(FILE, PATH), text="Dry."))
    assert same == FILE[: FILE.index(b"The river")] + b"Dry.\n"


def test_only_files_of_the_folder_itself_count() -> None:
    files = dict.fromkeys(
        ["lore/a.md", "lore/.a.md", "lore/x/a.md", "lore/a.txt", "persona/a.md", "lore.md"], FILE
    )
    assert [entry.path for entry in read_lore(files)[0]] == ["lore/a.md"]


def test_keys_as_one_text_are_parted_at_commas() -> None:
    entry = read_entry(b"---\nkeys: river, the Isar,, 007 \n---\nx", PATH)
    assert entry.keys == ("river", "the Isar", "007")
    pattern = read_entry(b"---\nregex: yes\nkeys: /a{1,2}/\n---\nx", PATH)
    assert pattern.keys == ("/a{1,2}/",)


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"---\nkeys: [a\n---\nx", 2, ""),
        (b"---\nkeys: a\nx", 1, "no closing"),
        (b"---\nkeys: a\npriority: high\n---\nx", 3, "whole number"),
        (b"---\nkeys: a\nposition: middle\n---\nx", 3, "before, after"),
        (b"---\nkeys: a\nprobability: 101\n---\nx", 3, "<= 100"),
        (b"---\nkeys: a\nkeys: b\n---\nx", 3, "twice"),
        (b"---\nkeys: &a [b]\n---\nx", 2, "anchors"),
        (b"---\nkeys: a\n---\nours\n<<<<<<< HEAD\nmine\n=======\n>>>>>>> x\n", 5, "conflict"),
        (b"---\n<<<<<<< HEAD\nkeys: a\n=======\nkeys: b\n>>>>>>> x\n---\nx", 2, "conflict"),
        (b"---\nkeys: a\n---\n\xff", 4, "UTF-8"),
        (b"---\nkeys: " + b"a" * 65_536 + b"\n---\nx", 1, "65536 characters"),
        (b"x" * (1024 * 1024 + 1), 0, "1024 KiB"),
        (b"---\nkeys: " + b",".join(b"%d" % n for n in range(501)) + b"\n---\nx", 2, "500"),
    ],
)
def test_a_broken_file_is_told_and_the_others_are_read(data: bytes, line: int, says: str) -> None:
    found, troubles = read_lore({"lore/a.md": data, PATH: FILE})
    assert [entry.path for entry in found] == [PATH]
    (trouble,) = troubles
    assert (trouble.path, trouble.line) == ("lore/a.md", line)
    assert says in trouble.what
    assert "left out of prompts" in trouble.what


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"---\nregex: yes\nkeys:\n  - river\n  - /(a/\n---\nx", 5, "/(a/: missing )"),
        (b"---\nkey: a\n---\nx", 2, "did you mean 'keys'"),
        (b"just text", 0, "no keys"),
        (b"---\nkeys: a\n---\n", 0, "no text"),
    ],
)
def test_what_is_odd_is_told_and_the_entry_kept(data: bytes, line: int, says: str) -> None:
    (entry,), troubles = read_lore({PATH: data})
    assert says in troubles[0].what
    assert troubles[0].line == line
    assert "/(a/" not in entry.keys


def test_a_line_of_equals_signs_is_a_heading_and_no_conflict() -> None:
    assert read_entry(b"---\nkeys: a\n---\nThe river\n=======\n", PATH).text.endswith("=======")


@pytest.mark.parametrize("text", ["<<<<<<< mine\nx", "half \ud83d", "x" * (1024 * 1024)])
def test_what_could_not_be_read_back_is_not_written(text: str) -> None:
    with pytest.raises(BadFile):
        render_entry(LoreEntry(PATH, ("a",), text))
    with pytest.raises(BadFile):
        edit_entry(FILE, LoreEntry(PATH, ("a",), text))
