"""What the documents tell people to type is typed here, page by page, and must work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from perdure.actions.trust import confirm
from perdure.backends.errors import Unreachable
from perdure.chat.session import Session
from perdure.cli.root import root
from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.templates import new_companion
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Repository
from tests.api_server import ApiServer
from tests.cli.terminal import on_terminal
from tests.conftest import copied, git
from tests.speaking import Scripted

PROJECT = Path(__file__).parents[2]
PAGES = sorted(
    {*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("src/**/texts/*.md")}
    - {PROJECT / "CHANGELOG.md", PROJECT / "docs" / "commands.md"}
)
BLOCK = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ELSEWHERE = (
    (r"^(uv|pipx|make) ", "installs from a package index"),
    (r"^perdure models pull", "downloads"),
    (r"^perdure backend (add|use|check)", "needs servers and keys; tests/cli/test_backend_add.py"),
    (r"^perdure (remove|new) ", "tests/cli/test_history.py, test_commands.py"),
    (r"^perdure memory (edit|review --accept)", "facts and proposals of another companion"),
    (r"^find |^done|^  sed |^rm ", "a shell's loop, and what repairs a broken index"),
    (r"^git fetch|^git pull$|^git pull &&", "of the program's own source"),
)
"""Lines that are not run here, and why."""
ASKED = re.compile(r"^perdure (edit \d+$|(lore|persona) edit \w+( -m .*)?$)")
"""Commands that open an editor, and so want a terminal."""


@dataclass
class World:
    """A companion of some weeks, a place for a backup, and where one stands."""

    folder: Path
    mira: Path
    here: Path
    words: dict[str, str] = field(default_factory=dict)

    def run(self, line: str) -> None:
        """Type one line; it must succeed."""
        for shown, meant in self.words.items():
            line = line.replace(shown, meant)
        for start, prepare in BEFORE.items():
            if line.startswith(start):
                prepare(self)
        if line.startswith("cd ") and "&&" not in line:
            shell = f"{line} && pwd"
            self.here = Path(self._shell(shell).strip())
            return
        if ASKED.match(line):
            assert on_terminal(shlex.split(line)[1:], (), self.here).code == 0, line
        elif re.match(r"perdure (?!chat)", line) and not re.search(r"[|<>$&]", line):
            self._perdure(shlex.split(line, comments=True)[1:], line)
        else:
            self._shell(line)

    def _shell(self, line: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-ec", line],
            cwd=self.here,
            env=dict(os.environ) | {"PATH": path, "GIT_EDITOR": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _perdure(self, words: list[str], line: str) -> None:
        if "--yes" in _options(words):
            words = [*words, "--yes"]  # what a person is asked on a terminal
        if words[:2] == ["backend", "confirm"]:
            words.append("--all")
        with contextlib.chdir(self.here):
            done = CliRunner().invoke(root, words, input="Other words.", prog_name="perdure")
        # 3 is done, with findings.
        assert done.exit_code in {0, 3}, f"{line}\n{done.output}{done.exception!r}"


def _options(words: list[str]) -> set[str]:
    command: click.Command = root
    for word in words:
        below = (
            command.get_command(click.Context(command), word)
            if isinstance(command, click.Group)
            else None
        )
        if below is None:
            break
        command = below
    return {name for each in command.params for name in each.opts}


def _unanswered(world: World) -> None:
    """A message that got no reply, because its backend was away."""
    broken = Scripted(name="local", failure=Unreachable("nothing listens there."), fail_after=-1)
    asyncio.run(_talk(world.mira, "Are you there?", backend=broken))


def _edited(world: World) -> None:
    (world.mira / "persona" / "20-voice.md").write_text("Speak as the sea does.\n")


def _talked(world: World) -> None:
    asyncio.run(_talk(world.mira, "Something since."))


def _from_elsewhere(world: World) -> None:
    """A conversation written by hand, after the newest one."""
    newest = max((world.here / "conversations").glob("*/*/*.md"))
    known = newest.stem.rpartition("-")[2]
    by_hand = newest.with_name(newest.name.replace(known, "5ca1ab1e"))
    by_hand.write_text(newest.read_text().replace(known, "5ca1ab1e"))


def _followed(world: World) -> None:
    """A remote that has what is here, and that the branch follows."""
    _remote(world)
    git(world.mira, "push", "-q", "-u", "backup", "main")


def _remote(world: World) -> None:
    if "backup" not in git(world.mira, "remote"):
        git(world.mira, "remote", "add", "backup", str(world.folder / "hub.git"))


def _untagged(world: World) -> None:
    git(world.mira, "tag", "-d", "before-the-move")


def _changed(world: World) -> None:
    _edit(world.mira, "Speak as the wind does.")


BEFORE = {
    "perdure restore persona lore": _changed,
    "perdure tag before-the-move -m": _untagged,
    "git push backup": _remote,
    "git add conversations": _from_elsewhere,
    "git pull --rebase": _followed,
    "perdure say --resume": _unanswered,
    "git commit -am": _edited,
    'perdure rewind "last': _talked,
    "perdure chat --at": _talked,
}
"""What has happened to somebody who types such a line."""


def lines_of(text: str) -> Iterator[str]:
    """The lines that a page has one type, without their comments."""
    for block in BLOCK.findall(text):
        # A line that ends in a pipe goes on with the next.
        for line in re.sub(r"\|\n\s*", "| ", block).splitlines():
            typed = re.sub(r"\s+#\s.*$", "", line.removeprefix("$ "))
            if typed.strip() and not typed.startswith("#"):
                yield typed


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, server: ApiServer) -> Path:
    """Some months of talk, a changed persona, a tag, a side branch that changed it otherwise."""
    mira = tmp_path_factory.mktemp("life") / "mira"
    files = new_companion(
        template="friend", name="Mira", user="Ana", manifest=_manifest(server), at=now()
    )
    author = Author("Mira", "mira@companion.invalid")
    create_repository(mira, files, message="companion: begins\n", author=author).close()
    git(mira, "config", "user.name", "Ana")
    git(mira, "config", "user.email", "ana@example.invalid")
    asyncio.run(_talk(mira, "We walked along the river.", "The lighthouse.", "河 is a river."))
    (mira / "lore").mkdir(exist_ok=True)
    (mira / "lore" / "mill.md").write_text("---\nkeys:\n  - mill\n---\n\nThe mill is old.\n")
    git(mira, "add", "lore")
    git(mira, "commit", "-qm", "lore: the mill")
    _edit(mira, "Speak softly.")
    asyncio.run(_talk(mira, *(f"Line {number}." for number in range(4, 20))))
    _older(mira)
    git(mira, "tag", "before-the-move")
    git(mira, "branch", "side")
    _edit(mira, "Speak plainly.")
    git(mira, "switch", "-q", "side")
    _edit(mira, "Speak in verse.")
    git(mira, "switch", "-q", "main")
    asyncio.run(_talk(mira, "The last thing."))
    git(mira, "config", "--remove-section", "user")
    return mira


def _manifest(server: ApiServer) -> Manifest:
    return Manifest("local", "openai", "tiny", address=server.address)


@pytest.fixture
def world(
    tmp_path: Path,
    own_home: Path,
    life: Path,
    server: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """That life in the folder of companions, an editor, and words for what pages leave open."""
    mira = copied(life, own_home / "companions" / "mira")
    repo = Repository.open(mira)
    confirm(repo, [_manifest(server)])
    repo.close()
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "One more line." >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    newest, older = git(mira, "log", "-2", "--format=%h", "main", "--", "persona").split()
    conversation = next((mira / "conversations").glob("*/*/*.md")).stem
    words = {
        "3f2a91bc": newest,
        "as of COMMIT": "as of then",
        "as of 提交号": "as of then",
        "checkout COMMIT": f"checkout {older}",
        "source COMMIT": f"source {older}",
        "source 提交号": f"source {older}",
        "FOLDER": str(mira),
        "checkout 提交号": f"checkout {older}",
        "COMMIT": newest,
        "提交号": newest,
        "小满": "mira",
        "URL-OR-PATH": str(mira),
        "地址或路径": str(mira),
        "git@example.org:you/mira.git": str(tmp_path / "hub.git"),
        "/media/disk": str(tmp_path),
        "URL": str(mira),
        "地址": str(mira),
        "{{slug}}": "again",
        "9f3a": conversation.rpartition("-")[2],
        "NAME": "side",
        "~/keep": str(tmp_path / "keep"),
    }
    return World(tmp_path, mira, mira, words)


async def _talk(path: Path, *texts: str, backend: Scripted | None = None) -> None:
    session = await Session.open(path, backends=[backend or Scripted(name="local")])
    try:
        for text in texts:
            async for _ in session.send(text):
                pass
    finally:
        await session.close()


def _edit(path: Path, line: str) -> None:
    voice = path / "persona" / "20-voice.md"
    voice.write_text(f"{voice.read_text()}\n{line}\n")
    git(path, "commit", "-qam", "persona: another voice")


def _older(path: Path) -> None:
    """Let all that was committed have been committed four months before."""
    stream = git(path, "fast-export", "--all")
    months = int(timedelta(days=120).total_seconds())

    def shift(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) - months}{found[3]}"

    older = re.sub(r"(?m)^((?:author|committer) .*> )(\d+)( [+-]\d{4})$", shift, stream)
    subprocess.run(
        ["git", "-C", str(path), "fast-import", "--force", "--quiet"],
        input=older.encode(),
        check=True,
    )


def stretches() -> Iterator[tuple[str, list[str]]]:
    """What is typed in one go, under a name: a page; of the page on history, each section."""
    for page in PAGES:
        parts = [page.read_text()]
        if page.stem == "history":
            parts = re.split(r"(?m)^## ", parts[0])
        for number, part in enumerate(parts):
            typed = [
                line
                for line in lines_of(part)
                if not any(re.search(pattern, line) for pattern, _ in ELSEWHERE)
            ]
            if typed:
                yield f"{page.parent.name}-{page.stem}-{number}", typed


STRETCHES = dict(stretches())


@pytest.mark.parametrize("name", STRETCHES)
def test_what_a_page_has_one_type_works(name: str, world: World) -> None:
    git(world.folder, "init", "-q", "--bare", "-b", "main", "hub.git")
    for line in STRETCHES[name]:
        world.run(line)


def test_most_pages_have_something_to_type() -> None:
    assert len(STRETCHES) > 20
    assert sum(map(len, STRETCHES.values())) > 100
