"""Where a backend sends conversations, found without connecting or importing a driver."""

from __future__ import annotations

import importlib
from contextlib import suppress
from urllib.parse import urlsplit

from perdure.backends.protocol import BackendSpec


def load_driver(driver: str) -> None:
    """Import what a driver needs to reach its server, which may take seconds. Never raises.

    For who measures a server and not this machine; what is missing is said when it is opened.
    """
    if driver in {"ollama", "anthropic", "openai"}:
        with suppress(ImportError):
            importlib.import_module(f"perdure.backends.{driver}.server")


def default_address(driver: str) -> str:
    """A driver's address for a manifest that names none; empty for a driver without a server."""
    if driver == "ollama":
        from perdure.backends.ollama.discover import DEFAULT_PORT

        return f"http://127.0.0.1:{DEFAULT_PORT}"
    if driver == "anthropic":
        from perdure.backends.anthropic.driver import DEFAULT_ADDRESS as ANTHROPIC

        return ANTHROPIC
    if driver == "openai":
        from perdure.backends.openai.driver import DEFAULT_ADDRESS as OPENAI

        return OPENAI
    return ""


def destination(spec: BackendSpec) -> str:
    """The host that ``spec`` sends text to, with its port if it names one.

    Empty for a model inside perdure. Whether the address may be used at all is the driver's to say.
    """
    address = spec.address or default_address(spec.driver)
    try:
        netloc = urlsplit(address if "://" in address else f"//{address}").netloc
    except ValueError:
        return address
    return netloc.rpartition("@")[2] or address
