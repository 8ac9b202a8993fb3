"""`perdure new --from`: a companion from another one's documents, without her conversations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from perdure.actions.trust import confirm, unconfirmed_backends
from perdure.companion.config.manifest import Manifest, manifest_path, render_manifest
from perdure.companion.config.settings import edit_settings, parse_settings
from perdure.git.repository.repository import Repository
from tests.cli.conftest import Run
from tests.conftest import assert_sound, git

FAR = Manifest(name="far", driver="openai", model="some-model", address="https://example.org/v1")
HERE = Manifest(name="here", driver="openai", model="some-model", address="http://127.0.0.1:9/v1")


def write(path: Path, files: Mapping[str, str | bytes]) -> None:
    for name, text in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
    git(path, "add", "-A")
    git(path, "commit", "-qm", "companion: more")


@pytest.fixture
def rich(companion: Path) -> Path:
    """A companion with a bit of everything, a tag, and a later change of everything."""
    settings = edit_settings(
        (companion / "companion.yaml").read_bytes(),
        {
            "former_names": ["Miranda"],
            "archived": False,
            "time": "date",
            "backends": ["here", "far"],
        },
    )
    write(
        companion,
        {
            "companion.yaml": settings,
            manifest_path("far"): render_manifest(FAR),
            manifest_path("here"): render_manifest(HERE),
            "assets/avatar.png": b"\x89PNG picture",
            "lore/town.md": "---\nkeys: [town]\n---\nA town.\n",
            "probes/who.md": "Who are you?\n",
            "persona/60-about.md": "I am Mira, and no other.\n",
            "memory/facts/people.md": "- Ana has a cat.\n",
            "memory/summaries/2026-11/2026-11-30-2026-71213955.md": "words\n",
            "conversations/2026-11/30/words.md": "words\n",
            "alternatives/words.md": "words\n",
            "backends.lock/laptop.yaml": "{}\n",
        },
    )
    git(companion, "tag", "then")
    write(companion, {"persona/60-about.md": "I am somebody else.\n"})
    with Repository.open(companion) as repo:
        confirm(repo, [HERE])
    return companion


def tracked(path: Path) -> set[str]:
    return set(git(path, "ls-files").splitlines())


def test_she_gets_the_documents_and_no_conversation(rich: Path, run: Run, tmp_path: Path) -> None:
    place = tmp_path / "noa"
    said = run("new", "Noa", "--from", f"{rich}@then", "--at", str(place)).stdout
    folders = {name.partition("/")[0] for name in tracked(place)}
    assert folders == {
        "persona", "lore", "probes", "assets", "backends", "companion.yaml", "README.md",
        "RESTORE.md", ".gitattributes", ".gitignore",
    }  # fmt: skip
    for name in ("persona/60-about.md", "assets/avatar.png", "lore/town.md"):
        assert git(place, "rev-parse", f"HEAD:{name}") == git(rich, "rev-parse", f"then:{name}")
    settings = parse_settings((place / "companion.yaml").read_bytes())
    assert (settings.name, settings.former_names, settings.time) == ("Noa", (), "date")
    assert "Mira" not in (place / "companion.yaml").read_text()
    assert "Mira" not in (place / "RESTORE.md").read_text() + (place / "README.md").read_text()
    assert "assets/avatar.png" in (place / "README.md").read_text()
    assert git(place, "rev-list", "--count", "--all").strip() == "1"
    assert "The former name still stands in persona/60-about.md." in said
    assert_sound(place)


def test_backends_confirmed_there_need_no_new_word_and_others_wait(
    rich: Path, run: Run, tmp_path: Path
) -> None:
    place = tmp_path / "noa"
    told = json.loads(run("new", "Noa", "--from", str(rich), "--at", str(place), "--json").stdout)
    assert (told["backend"], told["model"]) == ("here", "some-model")
    with Repository.open(place) as repo:
        assert [each.name for each in unconfirmed_backends(repo, "HEAD")] == ["far"]


def test_facts_go_along_when_they_are_asked_for(rich: Path, run: Run, tmp_path: Path) -> None:
    place = tmp_path / "noa"
    run("new", "Noa", "--from", str(rich), "--memory", "--at", str(place))
    memory = {name for name in tracked(place) if name.startswith("memory/")}
    assert memory == {"memory/facts/people.md"}
    assert "somebody else" in (place / "persona/60-about.md").read_text()


def test_the_other_one_stays_as_it_is(rich: Path, run: Run, tmp_path: Path) -> None:
    before = git(rich, "for-each-ref"), git(rich, "status", "--porcelain")
    run("new", "Noa", "--from", str(rich), "--at", str(tmp_path / "noa"))
    assert (git(rich, "for-each-ref"), git(rich, "status", "--porcelain")) == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--from", "nobody"), 1, "there is no companion 'nobody'"),
        (("--from", "{}@never"), 1, "'never' is not a commit"),
        (("--from", "{}", "--template", "friend"), 2, "takes the place of --template"),
        (("--memory",), 2, "--memory goes with --from"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(
    rich: Path, run: Run, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    filled = [word.replace("{}", str(rich)) for word in words]
    place = tmp_path / "noa"
    assert says in run("new", "Noa", "--at", str(place), *filled, code=code).stderr
    assert not place.exists()
