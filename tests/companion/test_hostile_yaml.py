"""YAML of strangers: whatever it holds, it is read or refused with the file's name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.config.backend_lock import parse_lock
from perdure.companion.config.manifest import parse_manifest
from perdure.companion.config.settings import edit_settings, parse_settings
from perdure.companion.errors import BadFile, CompanionProblem
from perdure.companion.memory.aside import parse_aside
from perdure.companion.memory.lore import read_lore
from perdure.companion.memory.proposals import read_review
from perdure.companion.memory.summaries import read_summaries
from perdure.companion.persona.persona import read_persona
from perdure.companion.yaml import strict


def front(data: bytes) -> bytes:
    return b"---\n" + data + b"\n---\n\nwords\n"


READERS: dict[str, Callable[[bytes], object]] = {
    "settings": parse_settings,
    "read only": lambda data: parse_settings(data, read_only=True),
    "edited": lambda data: edit_settings(data, {"archived": True}),
    "manifest": lambda data: parse_manifest(data, "backends/x.yaml"),
    "lock": lambda data: parse_lock(data, "backends/locks/x.yaml"),
    "lore": lambda data: read_lore({"lore/a.md": front(data)}),
    "persona": lambda data: read_persona({"persona/reminder.md": front(data)}),
    "aside": lambda data: parse_aside(front(data), "memory/aside/x.md"),
    "review": lambda data: read_review(front(data), "memory/review/x.md"),
    "summary": lambda data: read_summaries(
        {"memory/summaries/2026-11-30-0311-91b5e197.md": front(data)}
    ),
}
_KEYS = st.sampled_from(
    [
        "format",
        "name",
        "user",
        "backends",
        "lore",
        "scan_depth",
        "context",
        "driver",
        "model",
        "address",
        "parameters",
        "title",
        "keys",
        "depth",
        "turns",
        "conversation",
        "sources",
        "x",
        '"\\uD800"',
        '"\\uD83D\\uDE00"',
        "?a",
        "<<",
        "!!str",
        "&a",
        "*a",
        '"\\0"',
        ".inf",
        "1e9",
        "~",
    ]
)
_VALUES = st.one_of(
    st.sampled_from(
        [
            '"\\uD800"',
            '[a, "\\uDFFF"]',
            '{a: "\\uD800"}',
            '{"\\uD800": a}',
            "1" * 5000,
            "0x" + "f" * 300,
            "1e999",
            ".nan",
            "&x a",
            "*x",
            "!!python/object:os.system x",
            "[[[[[",
            "|\n  text",
            ">\n x",
            '"\\U0010FFFF"',
            '"\\UFFFFFFFF"',
            '"\\0"',
            '"\\x85"',
            "a: b",
            "- a\n- b",
            "{?: }",
            "%",
            "\t",
        ]
    ),
    st.text(max_size=8),
)
_PAIRS = st.lists(st.tuples(_KEYS, _VALUES).map(lambda pair: f"{pair[0]}: {pair[1]}"), max_size=5)
_TEXTS = _PAIRS.map("\n".join).map(lambda text: text.encode("utf-8", "surrogatepass"))


@given(st.one_of(_TEXTS, st.binary(max_size=40)))
def test_it_is_read_or_refused_in_words(data: bytes) -> None:
    for name, read in READERS.items():
        try:
            said = str(read(data))
        except CompanionProblem as problem:
            said = str(problem)
        assert said.encode(), name


@pytest.mark.parametrize(
    "text",
    [
        'name: "\\uD800"',
        '"\\uD800": x',
        'x: [a, "\\uDC00"]',
        'x: {y: "\\uD83D"}',
        'a: "\\uDE00\\uD83D"',
    ],
)
def test_half_of_a_character_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(BadFile, match=r"x\.yaml:2: half of a character"):
        strict.read_mapping(f"# first\n{text}\n", "x.yaml")


def test_the_two_halves_of_one_are_that_character() -> None:
    node = strict.read_mapping('name: "\\uD83D\\uDE00"\n', "x.yaml")
    assert strict.flattened(node.items["name"]) == "\U0001f600"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [" + "x, " * 40_000 + "x]", "more than 20,000 keys and values"),
        ("a: " + "x " * 200_000, "more than 262,144 characters"),
        ("[" * 100, "nested deeper than 40"),
        ("a: &x [b]\nc: *x", "anchors are not allowed"),
    ],
)
def test_what_takes_long_is_refused_by_counting(text: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        strict.read_mapping(text, "x.yaml")


def test_a_large_manifest_is_refused() -> None:
    with pytest.raises(BadFile, match=r"backends/x\.yaml: larger than 64 KiB"):
        parse_manifest(b"driver: ollama\n" + b"#" * 70_000, "backends/x.yaml")


def test_front_matters_of_a_persona_are_bounded_together() -> None:
    data = b"---\ntitle: x\n---\n\n" + b"words " * 50_000
    files = {f"persona/{number}.md": data for number in range(5)}
    with pytest.raises(BadFile, match="front matter"):
        read_persona(files)
    assert read_persona({f"persona/{number}.md": data[20:] for number in range(5)}).files
