"""Which editor is started, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.terminal import editor
from perdure.terminal.editor import NoEditor


def test_the_named_editor_comes_first() -> None:
    """VISUAL before EDITOR, both with words of their own."""
    assert editor.editor_command({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor.editor_command({"VISUAL": "", "EDITOR": "'my editor' -n"}) == ["my editor", "-n"]


def test_without_a_name_one_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there, else it is said how to name one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEditor, match="EDITOR"):
        editor.editor_command({})
    (tmp_path / "vi").write_text("#!/bin/sh\n")
    (tmp_path / "vi").chmod(0o755)
    assert editor.editor_command({}) == ["vi"]


def test_an_editor_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not there, or ending on an error: no silence, as if the file had been edited."""
    monkeypatch.delenv("VISUAL", raising=False)
    file = tmp_path / "a file.md"
    monkeypatch.setenv("EDITOR", "sh -c 'echo new > \"$0\"'")
    editor.edit_file(file)
    assert file.read_text() == "new\n"
    monkeypatch.setenv("EDITOR", "sh -c 'exit 3'")
    with pytest.raises(NoEditor, match="code 3"):
        editor.edit_file(file)
    monkeypatch.setenv("EDITOR", str(tmp_path / "nowhere"))
    with pytest.raises(NoEditor, match="cannot be run"):
        editor.edit_file(file)
