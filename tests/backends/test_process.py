"""The embedded driver from outside its process: a clean terminal, and a clean exit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from perdure.backends.drivers import DRIVERS
from tests.pseudo_terminal import on_a_terminal

SCRIPT = """
import asyncio
from perdure.backends.embedded.driver import EmbeddedBackend
from perdure.backends.protocol import BackendSpec, PromptMessage, Request

backend = EmbeddedBackend(BackendSpec("local", "embedded", "smollm2-135m-instruct",
                                      context_window=1024))
request = Request((PromptMessage("user", "Tell me a very long story."),), {tokens})
kept = []

async def main():
    stream = backend.stream(request)
    {body}

asyncio.run(main())
{after}
"""

BODIES = {
    "closed": (20, "kept.extend([event async for event in stream])\n    await backend.close()", ""),
    "left open": (20, "kept.extend([event async for event in stream])", ""),
    "in mid-reply": (900, "kept.append(stream); await anext(stream)", ""),
    "by an exception": (900, "await anext(stream); raise SystemExit(3)", ""),
}


def run_on_a_terminal(script: str) -> tuple[int, bytes]:
    """Exit status, and every byte that reached the terminal."""
    with on_a_terminal([sys.executable, "-c", script]) as terminal:
        return terminal.ended(), bytes(terminal.shown)


@pytest.mark.model
@pytest.mark.usefixtures("model_path")
@pytest.mark.parametrize("way", BODIES)
def test_nothing_reaches_the_terminal_and_the_interpreter_ends(way: str) -> None:
    tokens, body, after = BODIES[way]
    status, written = run_on_a_terminal(SCRIPT.format(tokens=tokens, body=body, after=after))
    assert written == b""
    assert status == (3 if way == "by an exception" else 0)


@pytest.mark.model
@pytest.mark.usefixtures("model_path")
def test_a_thread_that_nobody_stopped_does_not_hold_the_interpreter() -> None:
    script = SCRIPT.format(tokens=900, body="", after="").replace(
        "asyncio.run(main())",
        "loop = asyncio.new_event_loop()\n"
        "stream = backend.stream(request)\n"
        "loop.run_until_complete(anext(stream))\n"
        "import os; print('last words', flush=True)",
    )
    status, written = run_on_a_terminal("import warnings; warnings.simplefilter('ignore')" + script)
    assert written == b"last words\r\n"
    assert status == 0


@pytest.mark.model
@pytest.mark.usefixtures("model_path")
def test_a_model_that_is_let_go_as_soon_as_it_is_loaded_ends() -> None:
    script = (
        "import asyncio\n"
        "from perdure.backends.embedded.driver import EmbeddedBackend\n"
        "from perdure.backends.protocol import BackendSpec\n"
        "async def main():\n"
        "    for _ in range(12):\n"
        "        backend = EmbeddedBackend(BackendSpec('local', 'embedded',\n"
        "            'smollm2-135m-instruct', context_window=256))\n"
        "        await backend.open()\n"
        "        await backend.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_importing_the_room_imports_nothing_heavy() -> None:
    heavy = (
        "{'xllamacpp', 'httpx', 'httpx2', 'openai', 'anthropic', 'keyring', 'tiktoken', 'requests',"
        " 'textual', 'rich', 'platformdirs'}"
    )
    script = (
        "import sys; import perdure.backends.drivers, perdure.backends.errors, "
        "perdure.backends.store.catalogue, perdure.backends.tokens.estimate, "
        f"perdure.backends.ollama.discover, perdure.backends.embedded.driver; "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.parametrize("driver", DRIVERS)
def test_making_a_backend_imports_no_package(driver: str) -> None:
    code = (
        "import sys\n"
        "from perdure.backends.drivers import make_backend\n"
        "from perdure.backends.protocol import BackendSpec\n"
        f"make_backend(BackendSpec('a', {driver!r}, 'm'))\n"
        "heavy = {'ollama', 'openai', 'anthropic', 'httpx', 'httpx2', 'pydantic', 'tiktoken',"
        " 'keyring', 'xllamacpp'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
