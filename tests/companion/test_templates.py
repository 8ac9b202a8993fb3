from __future__ import annotations

import re
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from perdure.companion.config.manifest import Manifest, parse_manifest
from perdure.companion.config.settings import parse_settings
from perdure.companion.errors import BadFile, BadName, UnknownTemplate
from perdure.companion.persona.persona import read_persona
from perdure.companion.templates import (
    TemplateInfo,
    boundaries_file,
    new_companion,
    templates,
)

AT = datetime.fromisoformat("2026-11-22T18:03:12+01:00")
MANIFEST = Manifest("local", "llamacpp", "smollm2-135m-instruct", parameters={"temperature": 0.8})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, language, char in (("friend", "en", "Mira"), ("friend-zh", "zh", "小雨")):
        persona = tmp_path / name / "persona"
        (persona / "greetings").mkdir(parents=True)
        (tmp_path / name / "template.yaml").write_text(
            f"title: Friend\nsummary: A friend\nlanguage: {language}\ndefault_name: {char}\n"
        )
        (persona / "10-who.md").write_bytes(b"You are {{char}}.\n")
        (persona / "greetings" / "a.md").write_bytes(b"Hello, {{user}}.\n")
        (persona / "90-boundaries.md").write_bytes(f"boundaries {language}\n".encode())
        (persona / ".DS_Store").write_bytes(b"x")
    (tmp_path / "friend" / "persona" / "link.md").symlink_to("/etc/passwd")
    (tmp_path / "README.md").write_text("not a template")
    return tmp_path


def make(
    root: Path | None, template: str = "friend", name: str = "", user: str = "Ana"
) -> dict[str, bytes]:
    return new_companion(
        template=template, name=name, user=user, manifest=MANIFEST, at=AT, root=root
    )


def test_templates_are_listed_by_name(root: Path) -> None:
    assert templates(root) == [
        TemplateInfo("Friend", "A friend", "en", "Mira", "friend"),
        TemplateInfo("Friend", "A friend", "zh", "小雨", "friend-zh"),
    ]
    assert templates(root / "nowhere") == []


def test_the_first_commit_is_complete_and_reads_back(root: Path) -> None:
    files = make(root)
    assert sorted(files) == [
        ".gitattributes",
        ".gitignore",
        "README.md",
        "RESTORE.md",
        "backends/local.yaml",
        "companion.yaml",
        "persona/10-who.md",
        "persona/90-boundaries.md",
        "persona/greetings/a.md",
    ]
    settings = parse_settings(files["companion.yaml"])
    assert (settings.name, settings.user, settings.backends) == ("Mira", "Ana", ("local",))
    assert settings.troubles == ()
    assert parse_manifest(files["backends/local.yaml"], "backends/local.yaml") == MANIFEST
    assert files["persona/10-who.md"] == b"You are {{char}}.\n"


@pytest.mark.parametrize("info", templates(), ids=lambda info: info.name)
def test_every_template_that_comes_along_makes_a_companion(info: TemplateInfo) -> None:
    files = make(None, info.name)
    persona = read_persona(files)
    assert persona.boundaries
    assert persona.greetings
    assert persona.examples
    settings = parse_settings(files["companion.yaml"])
    assert settings.language == info.language
    for path in ("README.md", "RESTORE.md", "companion.yaml"):
        text = files[path].decode()
        assert settings.name in text
        assert not re.search(r"\{\{(?!char\}\}|user\}\})", text), path
        assert "{{{" not in text
    assert ("文件夹" in files["RESTORE.md"].decode()) == (info.language == "zh")


@pytest.mark.parametrize("name", ["No", "O'Hara", "a: b #c", "小雨", "<b>*x*", "“Q”", "007"])
def test_odd_names_are_kept_and_stay_text(root: Path, name: str) -> None:
    files = make(root, name=name, user=name)
    settings = parse_settings(files["companion.yaml"])
    assert (settings.name, settings.user) == (name, name)
    assert b"<b>" not in files["README.md"]


def test_what_cannot_be_made_is_refused(root: Path) -> None:
    with pytest.raises(UnknownTemplate, match="'nobody'") as caught:
        make(root, template="nobody")
    assert "friend, friend-zh" in caught.value.next_step
    with pytest.raises(UnknownTemplate):
        make(root, template="../friend")
    with pytest.raises(BadName):
        make(root, name="../mira")
    (root / "friend" / "template.yaml").write_text("title: x\n")
    with pytest.raises(BadFile, match="'summary' is missing"):
        templates(root)


def test_boundaries_come_in_the_language_or_in_english(root: Path) -> None:
    assert boundaries_file("zh-CN", root) == b"boundaries zh\n"
    assert boundaries_file("fr", root) == b"boundaries en\n"
    assert b"AI" in boundaries_file("en")


def test_git_itself_takes_the_attributes_and_ignores(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "mira"
    for path, content in make(root).items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(content)

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(home), *words], capture_output=True, check=True, text=True
        )
        return done.stdout

    git("init", "-q")
    assert "text: unset" in git("check-attr", "text", "conversations/x.md")
    assert "merge: union" in git("check-attr", "merge", "memory/facts/x.md")
    assert "merge: unspecified" in git("check-attr", "merge", "persona/x.md")
    for path in (".obsidian/app.json", ".trash/x.md", ".DS_Store", "persona/x.md~", ".env", "#x#"):
        assert git("check-ignore", path).strip() == path
    git("add", ".")
    assert len(git("ls-files").split()) == 9
