from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from perdure.companion.config.settings import (
    CompanionSettings,
    ContextPolicy,
    ConversationPolicy,
    LorePolicy,
    MemoryPolicy,
    edit_settings,
    parse_settings,
)
from perdure.companion.errors import BadFile, NewerFormat
from perdure.companion.yaml.quote import quoted, scalar
from perdure.companion.yaml.strict import SIZE_LIMIT, Mapping, Scalar, read_mapping

FILE = b"""# my companion
format: 1
name: Mira   # after the river

user: Ana
backends:
  - local
  - "claude"   # only when I say so
failover_to_hosted: no
time: off
context:
  # room for the answer
  reply_tokens: 700
"""


def test_a_whole_file_is_read() -> None:
    assert parse_settings(FILE) == CompanionSettings(
        name="Mira",
        user="Ana",
        backends=("local", "claude"),
        context=ContextPolicy(reply_tokens=700),
    )


def test_the_least_file_has_sound_defaults() -> None:
    settings = parse_settings(b"format: 1\nname: Mira\nuser:\ncontext:\n")
    assert settings.user == "User"
    assert settings.conversation == ConversationPolicy(idle_hours=6, max_chunks=200)
    assert (settings.time, settings.failover_to_hosted, settings.backends) == ("off", False, ())


def test_budgets_and_policies_of_memory_are_read() -> None:
    settings = parse_settings(
        b"format: 1\nname: x\n"
        b"context:\n  prompt_tokens: 9000\n  lore_tokens: 0\n  facts_tokens: 1\n"
        b"  summaries_tokens: 2\n  recall_tokens: 3\n"
        b"memory:\n  recall: off\n  facts: off\n  summaries: review\n"
        b"lore:\n  scan_depth: 9\n  probability: yes\n"
    )
    assert settings.context == ContextPolicy(
        prompt_tokens=9000, lore_tokens=0, facts_tokens=1, summaries_tokens=2, recall_tokens=3
    )
    assert settings.memory == MemoryPolicy(recall=False, facts="off", summaries="review")
    assert settings.lore == LorePolicy(scan_depth=9, probability=True)
    assert settings.troubles == ()


def test_without_a_word_memory_is_on_and_facts_wait_to_be_let_in() -> None:
    settings = parse_settings(b"format: 1\nname: x\nmemory:\nlore:\n")
    assert settings.memory == MemoryPolicy(recall=True, facts="review", summaries="write")
    assert settings.lore == LorePolicy(scan_depth=4, probability=False)
    assert settings.context == ContextPolicy()


@pytest.mark.parametrize("word", ["no", "off", "false", "No", "OFF", "'no'"])
@pytest.mark.parametrize("key", ["failover_to_hosted"])
def test_no_means_no(key: str, word: str) -> None:
    assert (
        parse_settings(f"format: 1\nname: x\n{key}: {word}\n".encode()).failover_to_hosted is False
    )


@pytest.mark.parametrize("word", ["yes", "on", "true", "Yes", '"yes"'])
def test_yes_means_yes(word: str) -> None:
    data = f"format: 1\nname: x\nfailover_to_hosted: {word}\n".encode()
    assert parse_settings(data).failover_to_hosted is True


@pytest.mark.parametrize(
    "name", ["No", "Off", "007", "1e3", "2026-11-22", "0x1F", "12:30:45", "~x"]
)
def test_a_name_stays_what_was_typed(name: str) -> None:
    assert parse_settings(f"format: 1\nname: {name}\nuser: {name}".encode()).name == name


def test_unknown_keys_are_told_with_their_line() -> None:
    settings = parse_settings(FILE + b"  exmaples_tokens: 3\nbackend: x\n")
    assert [(t.line, t.what) for t in settings.troubles] == [
        (14, "unknown key 'exmaples_tokens', did you mean 'examples_tokens'?"),
        (15, "unknown key 'backend', did you mean 'backends'?"),
    ]


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        (b"name: Mira\n", 0, "'format' is missing"),
        (b"format: 1\n", 0, "'name' is missing"),
        (b"format: one\nname: x\n", 1, "expected a number"),
        (b"format: 0\nname: x\n", 1, "format 0 does not exist"),
        (b"format: 1\nname: x\ncontext:\n  reply_tokens: many\n", 4, "expected a whole number"),
        (b"format: 1\nname: x\ncontext:\n  reply_tokens: 1\n", 4, ">= 16"),
        (b"format: 1\nname: x\ncontext:\n  prompt_tokens: 10\n", 4, ">= 256"),
        (b"format: 1\nname: x\nmemory:\n  facts: always\n", 4, "not 'always'"),
        (b"format: 1\nname: x\nmemory:\n  recall: some\n", 4, "expected yes or no"),
        (b"format: 1\nname: x\nlore:\n  scan_depth: 0\n", 4, ">= 1"),
        (b"format: 1\nname: x\ncontext: wide\n", 3, "lines of the form"),
        (b"format: 1\nname: x\ntime: never\n", 3, "not 'never'"),
        (b"format: 1\nname: x\nfailover_to_hosted: perhaps\n", 3, "expected yes or no"),
        (b"format: 1\nname: x\nbackends: {a: b}\n", 3, "a list of names"),
        (b"format: 1\nname: x\nbackends: [../x]\n", 3, "cannot be a backend"),
        (b"format: 1\nname: a/b\n", 2, "cannot contain '/'"),
        (b'format: 1\nname: "a\\e[2J"\n', 2, "U+001B"),
        (b"format: 1\nname: x\nname: y\n", 3, "given twice"),
        (b"format: 1\nname: &n x\nuser: *n\n", 2, "anchors are not allowed"),
        (b"format: 1\nname: x\nuser: *n\n", 3, "aliases are not allowed"),
        (b"format: 1\nname: !!python/object/apply:os.system [ls]\n", 2, "tags are not allowed"),
        (b"format: 1\nname: x\n---\nname: y\n", 3, "second document"),
        (b"format: 1\nname: [x\n", 3, "expected"),
        (b"format: 1\n\tname: x\n", 2, "\\t"),
        (b"format: 1\nname: \xff\n", 2, "not UTF-8"),
        (b"a: [" * 20_000, 1, ""),
        (b"[" * 20_000, 1, "nested deeper"),
        (b"- x\n", 1, "key: value"),
        (b"? [a]\n: b\n", 1, "plain text"),
        (b"#" * (SIZE_LIMIT + 1), 0, "larger than"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(data: bytes, line: int, problem: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse_settings(data)
    error = caught.value
    assert error.file == "companion.yaml"
    assert error.line == line
    assert problem in error.problem
    assert str(error).startswith(f"companion.yaml:{line}: " if line else "companion.yaml: ")
    assert "\n" not in str(error)


def test_a_newer_format_is_refused_unless_only_read() -> None:
    data = b"format: 3\nname: Mira\nmoods: {a: b}\n"
    with pytest.raises(NewerFormat) as caught:
        parse_settings(data)
    assert (caught.value.found, caught.value.known, caught.value.line) == (3, 1, 1)
    settings = parse_settings(data, read_only=True)
    assert (settings.name, settings.format) == ("Mira", 3)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_but_bad_file(data: bytes) -> None:
    for whole in (data, b"format: 1\nname: x\n" + data):
        with contextlib.suppress(BadFile):
            parse_settings(whole)


def test_an_edit_keeps_comments_order_and_the_other_values() -> None:
    edited = edit_settings(
        FILE,
        {
            "context.reply_tokens": 300,
            "failover_to_hosted": True,
            "time": "date",
            "conversation.idle_hours": 2,
        },
    )
    assert edited == (
        FILE.replace(b"700", b"300").replace(b": no", b": yes").replace(b"off", b"date")
        + b"conversation:\n  idle_hours: 2\n"
    )
    settings = parse_settings(edited)
    assert settings.failover_to_hosted is True
    assert settings.conversation.idle_hours == 2


def test_a_list_and_a_removed_key() -> None:
    edited = edit_settings(
        FILE, {"backends": ["a", "b"], "time": None, "context.reply_tokens": None}
    )
    assert b"backends: [a, b]" in edited
    settings = parse_settings(edited)
    assert (settings.backends, settings.context) == (("a", "b"), ContextPolicy())


def test_an_edit_through_a_value_is_refused() -> None:
    with pytest.raises(BadFile):
        edit_settings(FILE, {"name.first": "x"})


@given(st.text())
def test_quoted_text_is_json_and_yaml(text: str) -> None:
    data = f"key: {quoted(text)}\n"
    node = read_mapping(data, "x").items["key"]
    assert isinstance(node, Scalar)
    assert node.text == text
    for version in ("1.1", "1.2"):
        yaml = YAML(typ="safe", pure=True)
        yaml.version = version
        header = f"%YAML {version}\n---\n"
        assert yaml.load(header + data)["key"] == text


@given(st.text(max_size=20) | st.sampled_from(["no", "y", "1.5", "a: b", "a #b", "Ana Maria", "é"]))
def test_a_scalar_is_read_as_the_same_text_by_every_yaml(text: str) -> None:
    data = f"key: {scalar(text)}\nnext: x\n"
    node = read_mapping(data, "x")
    assert isinstance(node, Mapping)
    assert isinstance(found := node.items["key"], Scalar)
    assert found.text == text
    yaml = YAML(typ="safe", pure=True)
    assert yaml.load("%YAML 1.1\n---\n" + data) == {"key": text, "next": "x"}
