"""A git that writes reftables: this machine's, or Debian's next one, unpacked beside it.

Nothing is installed. The packages come from the mirror that apt is set up for here, are checked by
apt, and are kept unpacked in the user's cache folder. git runs there with its own C library.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from perdure.git.disk import KernelLock

_FIRST = (2, 45)
"""The first git with ``--ref-format``."""
_PACKAGES = ("git", "libc6", "libpcre2-8-0", "zlib1g")
_CACHE = user_cache_path("perdure-tests") / "newer-git"
_WRAPPER = """\
#!/bin/sh
name=$(basename "$0")
case $name in git-*) set -- "${{name#git-}}" "$@" ;; esac
export GIT_EXEC_PATH={commands} GIT_TEMPLATE_DIR={templates}
exec {loader} --library-path {libraries} {program} "$@"
"""


class NewerGit:
    """The command. Its folder comes first in the search path, so that git finds itself."""

    def __init__(self, commands: Path) -> None:
        self._commands = commands

    @property
    def env(self) -> dict[str, str]:
        """The environment as it is, with this git as the command ``git``."""
        return os.environ | {"PATH": f"{self._commands}:{os.environ['PATH']}"}

    def __call__(self, path: Path, *words: str, data: str | None = None) -> str:
        """Run git, which must succeed; what it prints."""
        done = self.run(path, *words, data=data)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(
        self, path: Path, *words: str, data: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run git, which may fail."""
        return subprocess.run(
            ["git", "-C", str(path), *words],
            capture_output=True,
            input=data,
            text=True,
            check=False,
            env=self.env,
        )


@pytest.fixture(scope="session")
def newer_git() -> NewerGit:
    """The command; where it cannot be had, the test says so and is skipped."""
    commands = _commands()
    if isinstance(commands, str):
        pytest.skip(f"needs a git that writes reftables: {commands}")
    return NewerGit(commands)


@functools.cache
def _commands() -> Path | str:
    """The folder with a command ``git``, or why there is none."""
    here = shutil.which("git")
    if here is not None and _version(here) >= _FIRST:
        return Path(here).parent
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    lock = KernelLock(_CACHE.with_name("newer-git.lock"))
    lock.take(wait=300)
    with lock:
        try:
            if not _CACHE.exists():
                _unpack(_CACHE)
        except (OSError, subprocess.SubprocessError, LookupError) as error:
            said = getattr(error, "stderr", "") or str(error)
            return f"Debian's next one could not be fetched ({said.strip()[-200:]})"
    commands = _CACHE / "commands"
    if _version(commands / "git") < _FIRST:
        return f"the one in {_CACHE} does not run"
    return commands


def _version(program: str | Path) -> tuple[int, ...]:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)


def _unpack(to: Path) -> None:
    """Fetch and unpack; the folder is there at once, or not at all."""
    part = to.with_name(f"{to.name}.{secrets.token_hex(4)}")
    try:
        _fetch(part / "packages")
        root = part / "root"
        for package in (part / "packages").glob("*.deb"):
            _run("dpkg-deb", "-x", package, root)
        shutil.rmtree(part / "packages")
        _wrap(root, part / "commands", to)
        part.rename(to)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fetch(folder: Path) -> None:
    sites = _run("apt-get", "indextargets", "--format", "$(ORIGIN) $(SITE)", "Created-By: Packages")
    mirrors = [row.split()[1] for row in sites.split("\n") if row.startswith("Debian ")]
    if not mirrors:
        raise LookupError("apt has no mirror of Debian here")
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "archives" / "partial").mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={keys}] {mirrors[0]} testing main\n")
    options = (
        f"Dir::Etc::sourcelist={folder}/sources.list",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={folder}/lists",
        f"Dir::Cache={folder}",
        "APT::Sandbox::User=",
        "Acquire::Languages=none",
        "Acquire::http::Timeout=20",
        "Acquire::Retries=1",
    )
    apt = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    _run(*apt, "update", folder=folder)
    _run(*apt, "download", *_PACKAGES, folder=folder)


def _run(*words: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=True, timeout=180
    )
    return done.stdout


def _wrap(root: Path, commands: Path, to: Path) -> None:
    """A command that runs the unpacked git, wherever it is moved to."""
    library = _one(root, "libc.so.6").parent

    def moved(path: Path) -> str:
        return shlex.quote(str(to / path.relative_to(commands.parent)))

    text = _WRAPPER.format(
        commands=moved(commands),
        templates=moved(root / "usr/share/git-core/templates"),
        loader=moved(_one(root, "ld-linux*.so.*")),
        libraries=moved(library),
        program=moved(root / "usr/bin/git"),
    )
    commands.mkdir()
    for name in ("git", "git-upload-pack", "git-receive-pack", "git-upload-archive"):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)


def _one(root: Path, pattern: str) -> Path:
    """The one file of that name that is no link; a loader is the C library's own file."""
    found: Sequence[Path] = sorted(path for path in root.rglob(pattern) if not path.is_symlink())
    if not found:
        raise LookupError(f"{pattern} is in none of the packages")
    return found[0]
