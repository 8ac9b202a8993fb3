"""`say --backend` and the slash commands of the plain talk, as a shell runs them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.actions.backends.manage import BackendActions
from perdure.companion.config.manifest import Manifest
from tests.api_server import ApiServer
from tests.backends.fake_api import OPENAI_END, FakeApi, chunk, streams
from tests.cli.conftest import Perdure
from tests.conftest import assert_sound, git
from tests.processes import started, wait_for


@pytest.fixture
def servers() -> Iterator[dict[str, int]]:
    """Ports of two servers, which run in a thread: the command blocks this one."""
    ports: dict[str, int] = {}
    ready, loops = threading.Event(), []

    async def serve() -> None:
        running = []
        for name in ("one", "two"):
            api = FakeApi(
                chat=streams(chunk(f"Here speaks {name}."), *OPENAI_END),
                listed={"data": [{"id": name}]},
            )
            server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
            ports[name] = server.sockets[0].getsockname()[1]
            running.append(server)
        over = asyncio.Event()
        loops.append((asyncio.get_running_loop(), over))
        ready.set()
        await over.wait()
        for server in running:
            server.close()
            await server.wait_closed()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    ready.wait()
    yield ports
    loop, over = loops[0]
    loop.call_soon_threadsafe(over.set)
    thread.join()


@pytest.fixture
def talker(companion: Path, servers: dict[str, int]) -> Path:
    with BackendActions(companion) as backends:
        for name, port in servers.items():
            backends.add(Manifest(name, "openai", name, f"http://127.0.0.1:{port}/v1"))
        backends.use(["one"])
    return companion


def backends(path: Path) -> list[str]:
    form = "--format=%(trailers:key=Backend,valueonly,separator=%x2c)"
    return [line for line in git(path, "log", "--reverse", form).splitlines() if line]


def test_say_lets_another_backend_speak_once(perdure: Perdure, talker: Path) -> None:
    companion = ("-c", str(talker))
    done = perdure(*companion, "say", "--backend", "two", "Hello.")
    assert (done.returncode, done.stdout) == (0, "Here speaks two.\n")
    done = perdure(*companion, "say", "Hello again.", "--json")
    assert json.loads(done.stdout)["replies"][0]["backend"] == "one"
    done = perdure(*companion, "say", "--backend", "nobody", "Hello?")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no backend 'nobody'" in done.stderr
    assert backends(talker) == ["two", "one"]
    assert_sound(talker)


def test_the_plain_talk_lists_and_switches(perdure: Perdure, talker: Path) -> None:
    lines = "/backend\n/next two\nA\nB\n/backend two\n/status\nC\n/next nobody\n/quit\n"
    done = perdure("-c", str(talker), "chat", "--plain", stdin=lines)
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout.splitlines()
    assert "1. one: one, this machine, speaks next" in out
    assert "- two: two, this machine" in out
    assert "note: For the next reply only, two speaks (two)." in out
    assert "note: From now on, two speaks (two)." in out
    assert any("backend two (two)" in line for line in out)
    assert any("no backend 'nobody'" in line for line in out)
    assert backends(talker) == ["two", "one", "two"]
    assert "backend: use two, then one" in git(talker, "log", "--format=%s")
    assert_sound(talker)


def test_a_message_that_could_not_be_taken_is_told_by_the_exit_code(
    perdure: Perdure, talker: Path
) -> None:
    assert perdure("-c", str(talker), "say", "Hello.").returncode == 0
    command = str(Path(sys.executable).with_name("perdure"))
    # No file may grow: as on a disk that is full, no message can be kept.
    done = subprocess.run(
        [
            "bash",
            "-c",
            'ulimit -f 0; exec "$0" "$@"',
            command,
            "-c",
            str(talker),
            "chat",
            "--plain",
        ],
        input="Hello?\n",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "note: the disk is full" in done.stdout
    assert "Hello?" not in git(talker, "log", "--format=%s")
    assert done.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [["say", "Hello?"], ["chat", "--plain"]])
def test_a_signal_to_end_commits_what_there_is_and_ends(
    companion: Path, words: list[str], number: signal.Signals
) -> None:
    with ApiServer(models=("tiny",), stalls_replies=True) as server:
        with BackendActions(companion) as backends:
            backends.add(Manifest("house", "openai", "tiny", server.address))
            backends.use(["house"])
        command = str(Path(sys.executable).with_name("perdure"))
        line, pipe = [command, "-c", str(companion), *words], subprocess.PIPE
        with started(line, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
            assert process.stdin is not None
            process.stdin.write("Hello?\nAnd this is not read any more.\n")
            process.stdin.flush()
            wait_for(server.was_asked, process)
            process.send_signal(number)
            assert process.wait() == 1
            assert process.stdout is not None
            said = process.stdout.read()
        assert words[0] == "chat" or "perdure: stopped. Your message is kept" in said
    assert git(companion, "log", "-1", "--format=%s").strip() == "turn: Hello?"
    assert_sound(companion)
