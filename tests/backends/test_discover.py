from __future__ import annotations

import asyncio
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from perdure.actions.companion.create import create_companion
from perdure.backends.ollama.discover import find_ollama, ollama_address
from tests.backends.fake_ollama import FakeOllama, running

Serve = Callable[[type[BaseHTTPRequestHandler]], str]


def handler(answers: dict[str, tuple[int, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.end_headers()
            self.wfile.write(body)

    return Handler


TAGS = b'{"models": [{"name": "llama3.2:latest"}, {"name": "qwen:4b"}, {"size": 1}, 7]}'


def test_a_running_ollama_is_found_with_its_models(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = serve(
        handler({"/api/version": (200, b'{"version": "0.9.1"}'), "/api/tags": (200, TAGS)})
    )
    monkeypatch.setenv("OLLAMA_HOST", address)
    # A proxy of the environment is not asked about this machine.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    found = find_ollama(timeout=600)
    assert found is not None
    assert (found.address, found.version) == (address, "0.9.1")
    assert found.models == ("llama3.2:latest", "qwen:4b")


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/api/version": (200, b"hello"), "/api/tags": (200, TAGS)},
        {"/api/version": (200, b'{"version": 3}'), "/api/tags": (200, TAGS)},
        {"/api/version": (302, b"/api/tags"), "/api/tags": (200, TAGS)},
        {"/api/version": (200, b'{"version": "1"}'), "/api/tags": (500, b"")},
    ],
)
def test_something_else_on_that_port_is_no_ollama(
    answers: dict[str, tuple[int, bytes]], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", serve(handler(answers)))
    assert find_ollama(timeout=600) is None


def test_nobody_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    assert find_ollama() is None


@pytest.mark.parametrize(
    ("setting", "address"),
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104
        (":8000", "http://127.0.0.1:8000"),
        ("localhost:8000", "http://localhost:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
        ("192.168.1.4:11434", None),
        ("ollama.example", None),
        ("169.254.169.254", None),
        ("localhost.example:80", None),
        ("ftp://127.0.0.1", None),
        ("127.0.0.1:99999", None),
    ],
)
def test_only_this_machine_is_asked(setting: str | None, address: str | None) -> None:
    assert ollama_address(setting) == address


async def test_new_takes_the_newest_model_that_talks_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[tuple[str, str, dict[str, object]]] = [
        ("old:7b", "2026-01-02T03:04:05.123456789Z", {}),
        ("gpt-oss:120b-cloud", "2026-11-01T00:00:00Z", {"remote_host": "https://ollama.com"}),
        ("nomic-embed-text:latest", "2026-10-01T00:00:00Z", {}),
        ("bge-m3:latest", "2026-10-01T00:00:00Z", {"details": {"family": "bert"}}),
        ("kind:4b", "2026-01-02T03:04:05.9+02:00", {}),
        ("newest:8b", "2026-02-02T03:04:05.123456789-07:00", {"details": {"families": None}}),
    ]
    entries = [{"name": name, "modified_at": at, **more} for name, at, more in listed]
    for found, manifest in (
        (entries, ("ollama", "newest:8b")),
        (entries[1:4], ("rehearsal", "smollm2-135m-instruct")),
    ):
        async with running(FakeOllama(entries=found)) as fake:
            monkeypatch.setenv("OLLAMA_HOST", fake.address)
            path = tmp_path / manifest[0]
            made = await asyncio.to_thread(create_companion, path, name="Mira", template="friend")
        assert (made.backend, made.model) == manifest
        assert ("with newest:8b" in made.voice) == (manifest[0] == "ollama")
        assert (path / f"backends/{manifest[0]}.yaml").exists()
