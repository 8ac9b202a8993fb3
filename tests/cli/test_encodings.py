"""What comes in and goes out where a terminal's encoding is not that of the text."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.actions.backends.manage import BackendActions
from perdure.companion.config.manifest import Manifest
from tests.api_server import ApiServer
from tests.cli.terminal import on_terminal
from tests.conftest import assert_sound, git

KEY = "sk-proj-" + "a1" * 20


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(models=("tiny",), reply="Hello there.") as server:
        yield server


@pytest.fixture
def talker(companion: Path, server: ApiServer) -> Path:
    with BackendActions(companion) as backends:
        backends.add(Manifest("house", "openai", "tiny", server.address))
        backends.use(["house"])
    return companion


def run(path: Path, *words: str, stdin: bytes, **environ: str) -> subprocess.CompletedProcess[str]:
    """Stdout and stderr as one, as on a terminal."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("perdure")), "-c", str(path), *words],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ) | environ,
        check=False,
    )
    text = done.stdout.decode(environ.get("PYTHONIOENCODING", "utf-8").partition(":")[0])
    return subprocess.CompletedProcess(done.args, done.returncode, text)


def said(path: Path) -> list[str]:
    subjects = git(path, "log", "--reverse", "--format=%s").splitlines()
    return [line.removeprefix("turn: ") for line in subjects if line.startswith("turn: ")]


def test_a_line_that_is_no_text_costs_no_other_line(talker: Path) -> None:
    lines = b"One\r\nbad \xff\xfe\nTwo\nlast without its end"
    done = run(talker, "chat", "--plain", stdin=lines, PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 1
    assert done.stdout.count("is not UTF-8 text: byte 5 is invalid") == 1
    assert said(talker) == ["One", "Two", "last without its end"]
    assert_sound(talker)


def test_a_text_that_is_none_is_refused_in_one_line(talker: Path) -> None:
    done = run(talker, "say", "-", stdin=b"Caf\xe9", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("perdure: the input is not UTF-8 text: byte 4")
    done = run(talker, "say", "-", stdin=b"Caf\xe9", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0
    assert said(talker) == ["Café"]


def test_bytes_in_a_message_do_not_silence_the_talk(talker: Path) -> None:
    for stdin in (b"Caf\xe9", b"And now?"):
        done = run(talker, "say", "-", stdin=stdin, PYTHONIOENCODING="utf-8:surrogateescape")
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Hello there.")
    assert "Caf&#xDCE9;" in git(talker, "show", "HEAD~1", "--", "conversations")


def test_a_reply_beyond_the_terminals_encoding_is_shown_as_far_as_it_goes(
    talker: Path, server: ApiServer
) -> None:
    server.reply = "Hello, 小满 and café."
    for words in (["say", "Hello?"], ["show", "@"], ["chat", "--plain"]):
        done = run(talker, *words, stdin=b"Hello?\n", PYTHONIOENCODING="latin-1")
        assert done.returncode == 0
        assert "Hello, ?? and café." in done.stdout
    assert "Hello, 小满 and café." in git(talker, "show", "HEAD")


def test_a_notice_about_a_reply_stands_below_it_on_a_line_of_its_own(
    talker: Path, server: ApiServer
) -> None:
    server.reply = f"First line.\nIt is {KEY} and no more."
    notice = "Something that looks like a key was removed before it was sent or saved; "
    lines = run(talker, "say", "Hello?", stdin=b"").stdout.splitlines()
    assert lines[-2] == "It is [key removed] and no more."
    assert lines[-1].startswith(notice)
    lines = run(talker, "chat", "--plain", stdin=b"Hello?\n").stdout.splitlines()
    assert lines[-2] == "It is [key removed] and no more."
    assert lines[-1].startswith(f"note: {notice}")


def test_the_pager_does_not_stop_at_what_fits_on_the_screen(talker: Path, tmp_path: Path) -> None:
    shown = on_terminal(["-c", str(talker), "log", "-n", "2"], [], tmp_path)
    assert shown.code == 0
    assert "backend: use house" in shown.screen
    assert "(END)" not in shown.screen


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_succeeds_where_an_output_is_closed(companion: Path, closed: str) -> None:
    script = f'exec "$0" -m perdure.cli.entry -c "$1" list {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, str(companion)], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == b""
