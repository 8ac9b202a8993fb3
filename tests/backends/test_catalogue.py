from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from perdure.backends.embedded.driver import _load
from perdure.backends.errors import DriverMissing
from perdure.backends.protocol import BackendSpec
from perdure.backends.store.catalogue import (
    CATALOGUE,
    DEFAULT_MODEL,
    install_command,
    what_is_missing,
)
from perdure.cli.root import root


def test_what_a_model_needs_before_it_can_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_MODELS", str(tmp_path))
    assert what_is_missing(DEFAULT_MODEL) == f"perdure models pull {DEFAULT_MODEL}"
    (tmp_path / CATALOGUE[DEFAULT_MODEL].file).write_bytes(b"GGUF")
    assert what_is_missing(DEFAULT_MODEL) == ""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert "[embedded]" in what_is_missing(DEFAULT_MODEL)


def test_the_package_is_asked_for_before_the_file(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not store.exists()
    with pytest.raises(DriverMissing, match="install"):
        _load(BackendSpec("local", "embedded", DEFAULT_MODEL), counting=False)
    told = CliRunner().invoke(root, ["models", "pull", "nothing-of-that-name"])
    assert "xllamacpp" in told.output


@pytest.mark.parametrize(
    ("prefix", "url", "command"),
    [
        ("/home/a/.local/share/pipx/venvs/perdure", "", "pipx install --force 'perdure[embedded]'"),
        (
            "/home/a/.local/share/uv/tools/perdure",
            "file:///home/a/perdure",
            "uv tool install --force '/home/a/perdure[embedded]'",
        ),
        ("/home/a/venv", "file:///a%20b/x.whl", "pip install '/a b/x.whl[embedded]'"),
    ],
)
def test_the_command_installs_as_it_was_installed(
    monkeypatch: pytest.MonkeyPatch, prefix: str, url: str, command: str
) -> None:
    class Here:
        def read_text(self, _name: str) -> str:
            return json.dumps({"url": url})

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Here())
    monkeypatch.setattr(sys, "prefix", prefix)
    assert install_command().endswith(command)
