from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.config.manifest import (
    _SECRET_KEY,
    Manifest,
    Parameter,
    manifest_path,
    parse_manifest,
    render_manifest,
)
from perdure.companion.errors import BadFile

WHERE = "backends/local.yaml"
FILE = b"""driver: ollama
model: llama3.2:3b-instruct-q4_K_M
address: http://127.0.0.1:11434
key: env:OLLAMA_KEY
context_window: 8192
allow_http: Yes
connect_timeout: 2.5
timeout: 40
parameters:
  temperature: 0.8
  top_k: 40
  stop: ["Ana:", no]
  cache_prompt: no
  style: "no"
"""


def test_a_whole_manifest_is_read() -> None:
    assert parse_manifest(FILE, WHERE) == Manifest(
        name="local",
        driver="ollama",
        model="llama3.2:3b-instruct-q4_K_M",
        address="http://127.0.0.1:11434",
        key="env:OLLAMA_KEY",
        context_window=8192,
        parameters={
            "temperature": 0.8,
            "top_k": 40,
            "stop": ["Ana:", "no"],
            "cache_prompt": False,
            "style": "no",
        },
        allow_http=True,
        connect_timeout=2.5,
        timeout=40,
    )


SECRET = "sk-" + "a1B2" * 8  # the shape of a key, and none


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (f"key: {SECRET}", 3),
        ("key: hunter2", 3),
        ("key: 'env:'", 3),
        (f"api_key: {SECRET}", 3),
        ("password: hunter2", 3),
        ("address: https://ana:hunter2@example.org/v1", 3),
        ("address: https://example.org/v1?key=hunter2", 3),
        (f"parameters:\n  note: use {SECRET} here", 4),
        (f"parameters:\n  stop: [a, {SECRET}]", 4),
    ],
)
def test_a_secret_is_refused_and_not_repeated(line: str, number: int) -> None:
    with pytest.raises(BadFile) as caught:
        parse_manifest(f"driver: x\nmodel: y\n{line}\n".encode(), WHERE)
    assert (caught.value.file, caught.value.line) == (WHERE, number)
    assert "env:NAME" in caught.value.next_step
    assert SECRET not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["env:ANTHROPIC_API_KEY", "keyring:perdure/ana", ""])
def test_a_reference_is_no_secret(key: str) -> None:
    assert parse_manifest(f"driver: x\nmodel: y\nkey: {key}\n".encode(), WHERE).key == key


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        (b"model: x\n", 0, "'driver' is missing"),
        (b"driver: x\nmodel:\n", 0, "'model' is missing"),
        (b"driver: x\nmodel: y\ncontext_window: -1\n", 3, "context_window"),
        (b"driver: x\nmodel: y\ncontext_window: wide\n", 3, "whole number"),
        (b"driver: x\nmodel: y\nallow_http: maybe\n", 3, "allow_http: expected yes or no"),
        *(
            (f"driver: x\nmodel: y\n{name}: {value}\n".encode(), 3, f"{name}: expected a number")
            for name in ("connect_timeout", "timeout")
            for value in ("0", "-1", "soon", "90000", "[3]", "0.0")
        ),
        *(
            (f"driver: x\nmodel: y\n{name}: {value}\n".encode(), 3, name)
            for name in ("connect_timeout", "timeout")
            for value in ("nan", "inf", "-inf", "1e999")
        ),
        (b"driver: [x]\nmodel: y\n", 1, "expected text"),
        (b"driver: x\nmodel: y\nparameters: hot\n", 3, "name: value"),
        (b"driver: x\nmodel: y\nparameters:\n  a: {b: c}\n", 4, "parameters.a"),
        (b"driver: x\nmodel: y\nparameters:\n  a: [[b]]\n", 4, "parameters.a"),
    ],
)
def test_what_is_wrong_has_file_and_line(data: bytes, line: int, problem: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse_manifest(data, WHERE)
    assert (caught.value.line, problem in caught.value.problem) == (line, True)


def test_an_unknown_key_is_told() -> None:
    manifest = parse_manifest(b"driver: x\nmodel: y\nadress: z\nparameters:\n", WHERE)
    assert [t.what for t in manifest.troubles] == ["unknown key 'adress', did you mean 'address'?"]


plain = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: "\0" not in text
)
names = plain.filter(lambda text: _SECRET_KEY.fullmatch(text) is None)
"""A key's own name is refused."""
values = st.one_of(
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    plain,
    st.lists(plain, max_size=3),
)


@given(
    plain,
    plain,
    st.just("") | plain,
    st.sampled_from(["", "env:KEY", "keyring:a/b"]),
    st.integers(0, 10**7),
    st.dictionaries(names, values, max_size=4),
    st.booleans(),
    st.just(0) | st.floats(0, 86_400, exclude_min=True),
)
def test_reading_gives_back_what_was_written(
    driver: str,
    model: str,
    address: str,
    key: str,
    window: int,
    parameters: dict[str, Parameter],
    http: bool,  # noqa: FBT001 - hypothesis gives it
    wait: float,
) -> None:
    manifest = Manifest(
        "local", driver, model, address, key, window, parameters, http, wait, wait / 2
    )
    assert parse_manifest(render_manifest(manifest), manifest_path("local")) == manifest
