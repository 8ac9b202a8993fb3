from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from perdure.backends.models import CATALOGUE, DEFAULT_MODEL, needs


def test_what_a_model_needs_before_it_can_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_MODELS", str(tmp_path))
    assert needs(DEFAULT_MODEL) == f"perdure models pull {DEFAULT_MODEL}"
    (tmp_path / CATALOGUE[DEFAULT_MODEL].file).write_bytes(b"GGUF")
    assert needs(DEFAULT_MODEL) == ""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert "perdure[embedded]" in needs(DEFAULT_MODEL)
