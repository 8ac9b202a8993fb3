"""``perdure memory summarise``, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from perdure.backends.store.catalogue import DEFAULT_MODEL
from perdure.backends.store.download import pull
from perdure.chat.events import Saved
from perdure.chat.session import Session
from tests.backends.real_servers import KEY, Running, llama_server
from tests.conftest import assert_sound, git
from tests.lives import make_life
from tests.processes import started, wait_for
from tests.speaking import Scripted

PERDURE = str(Path(sys.executable).with_name("perdure"))


def run(companion: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PERDURE, "-c", str(companion), "memory", "summarise", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **more},
    )


def listed(path: Path) -> list[str]:
    return git(path, "ls-tree", "-r", "--name-only", "HEAD", "memory").split()


def use(path: Path, manifest: str) -> None:
    """List a backend first, and agree to it."""
    (path / "backends/local.yaml").write_text(manifest)
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "backend: a server")
    subprocess.run(
        [PERDURE, "-c", str(path), "backend", "confirm", "local", "--yes"],
        capture_output=True,
        check=True,
    )


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("life") / "mira"
    make_life(path, 60)
    return path


@pytest.fixture
def mira(life: Path, tmp_path: Path) -> Path:
    """A life of three conversations, 60 turns."""
    path = tmp_path / "mira"
    subprocess.run(["cp", "-r", str(life), str(path)], check=True)
    return path


def test_without_a_model_every_conversation_gets_its_own_sentences(mira: Path) -> None:
    before = git(mira, "rev-parse", "HEAD")
    said = run(mira, "--all", "--dry-run")
    assert (said.returncode, said.stdout.count("would summarise"), listed(mira)) == (0, 3, [])
    assert git(mira, "rev-parse", "HEAD") == before

    said = run(mira, "--all")
    assert said.returncode == 0, said.stderr
    assert said.stderr.count("No model: local is a rehearsal model.") == 3
    assert said.stdout.count("was summarised from its own sentences, without a model\n") == 3
    assert len(listed(mira)) == 3
    commits = git(mira, "log", "--format=%an %s", "-3").splitlines()
    assert all(line.startswith("Mira memory: summary of “") for line in commits)
    assert "extractive: yes" in (mira / listed(mira)[0]).read_text()
    assert_sound(mira)

    (record,) = json.loads(run(mira, "--json").stdout)
    assert record["says"] == "its summary covers all that was said"
    assert run(mira, "0000dead").returncode == 1


class Slow(BaseHTTPRequestHandler):
    """An OpenAI server that answers once, and then never."""

    asked = threading.Event()
    leave = threading.Event()
    count = 0

    def do_POST(self) -> None:
        type(self).count += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        if self.count > 1:
            self.asked.set()
            self.leave.wait()
            return
        piece = {"choices": [{"index": 0, "delta": {"content": "Ana told Mira of the hills."}}]}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        for each in (piece, end):
            event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            self.wfile.write(f"data: {json.dumps(event | each)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_an_interrupt_ends_it_and_what_was_written_stays(mira: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    use(mira, f"driver: openai\nmodel: m\naddress: {address}\ncontext_window: 8192\n")
    words = ["-c", str(mira), "memory", "summarise", "--all"]
    try:
        pipe = subprocess.PIPE
        with started([PERDURE, *words], stdout=pipe, stderr=pipe) as process:
            wait_for(Slow.asked, process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
    finally:
        Slow.leave.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert process.returncode == 130, err
    assert err.endswith("Stopped. What was written is kept.\n")
    assert "Traceback" not in err
    assert len(listed(mira)) == out.count("Ana told Mira of the hills.") == 1
    assert_sound(mira)


@pytest.fixture(scope="module")
def llama() -> Iterator[Running]:
    with llama_server(pull(DEFAULT_MODEL), 1024) as server:
        yield server


@pytest.mark.model
async def test_a_real_model_writes_a_summary_that_can_be_read(
    companion: Path, llama: Running
) -> None:
    session = await Session.open(companion, backends=[Scripted(reply=lambda _: "How was that?")])
    for text in ("I sold my old boat to Dr. Weber today.", "Sad. My sister Ruth liked it too."):
        assert [event async for event in session.send(text) if isinstance(event, Saved)]
    await session.close()
    manifest = (
        f"driver: openai\nmodel: smollm2\naddress: {llama.address}/v1\nkey: env:PERDURE_TEST_KEY\n"
        "context_window: 1024\nparameters:\n  temperature: 0\n"
    )
    (companion / "companion.yaml").write_text(
        (companion / "companion.yaml").read_text().replace("[rehearsal]", "[local]")
    )
    use(companion, manifest)
    said = run(companion, "--json", PERDURE_TEST_KEY=KEY)
    assert said.returncode == 0, said.stderr
    (record,) = json.loads(said.stdout)
    # So small a model may copy the talk, which is no summary; sentences are taken then.
    text, by_model = record["summary"], record["backend"] == "local"
    assert record["extractive"] is not by_model
    assert by_model or record["without_model"] == "its answer was not usable"
    assert 8 <= len(text) <= 102 * 6
    assert by_model is ("\n" not in text)
    (path,) = [name for name in listed(companion) if name.startswith("memory/summaries/")]
    assert text in (companion / path).read_text()
    assert_sound(companion)
