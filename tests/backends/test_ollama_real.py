"""A companion whose model is behind a real Ollama server: ollama-proxy-plus before llama.cpp."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.actions.trust import confirm
from perdure.chat.events import ReplyPiece, Saved
from perdure.chat.session import Session
from perdure.companion.config.manifest import Manifest, render_manifest
from perdure.git.repository.repository import Repository
from tests.backends.real_servers import PROXIED, Running, llama_server, ollama_server

pytestmark = pytest.mark.model


@pytest.fixture
def proxy(model_path: Path, tmp_path: Path) -> Iterator[Running]:
    with (
        llama_server(model_path, 2048) as llama,
        ollama_server(f"{llama.address}/v1", tmp_path) as proxy,
    ):
        yield proxy


async def test_a_companion_speaks_through_it(proxy: Running, companion: Path) -> None:
    manifest = Manifest(
        name="rehearsal",
        driver="ollama",
        model=PROXIED,
        address=proxy.address,
        context_window=2048,
        parameters={"temperature": 0.0, "max_tokens": 24},
    )
    # A persona of one file: the model reads slowly.
    for path in sorted((companion / "persona").rglob("*.md"))[1:]:
        path.unlink()
    (companion / "backends/rehearsal.yaml").write_bytes(render_manifest(manifest))
    subprocess.run(
        ["git", "-C", str(companion), "commit", "-qam", "backend: through Ollama"],
        check=True,
    )
    repo = Repository.open(companion)
    confirm(repo, [manifest])
    repo.close()
    session = await Session.open(companion)
    events = [event async for event in session.send("Hello, Mira.")]
    await session.close()
    said = "".join(event.text for event in events if isinstance(event, ReplyPiece))
    assert said
    assert isinstance(events[-1], Saved)
    chunks = sorted((companion / "conversations").rglob("*.md"))
    assert said.strip() in chunks[-1].read_text()
