"""Find an Ollama running on this machine, and its chat models.

Nothing is sent but two questions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from perdure.backends.http.address import as_ip
from perdure.backends.ollama.model import can_chat, cloud_name, entries

if TYPE_CHECKING:
    import httpx2

DEFAULT_PORT = 11434
_ANSWER_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class OllamaFound:
    """A running Ollama: its address without a trailing slash, and its models by name.

    ``chat_models`` are those that can hold a conversation and do so on this machine, the newest
    first.
    """

    address: str
    version: str
    models: tuple[str, ...]
    chat_models: tuple[str, ...] = ()


def ollama_address(setting: str | None) -> str | None:
    """The address that ``OLLAMA_HOST`` means, or None if it is not on this machine.

    The forms are Ollama's: ``host``, ``host:port``, ``:port``, ``scheme://host:port``. 0.0.0.0 and
    ``::`` are what a server listens on; a client reaches it over loopback.
    """
    text = (setting or "").strip().strip("\"'") or f"127.0.0.1:{DEFAULT_PORT}"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError:
        return None
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared with, not listened on
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    if parts.scheme not in {"http", "https"} or not _loopback(host):
        return None
    if port is None:
        # As Ollama has it: an address with a scheme means that scheme's own port.
        port = {"http": 80, "https": 443}[parts.scheme] if "://" in text else DEFAULT_PORT
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port}"


def _loopback(host: str) -> bool:
    ip = as_ip(host)
    # A name is looked up by nobody here: a hosts file or a resolver could send it anywhere.
    return ip.is_loopback if ip is not None else host == "localhost"


def find_ollama(timeout: float = 0.3) -> OllamaFound | None:
    """The Ollama running here, or None. ``timeout`` is in seconds for each of two requests."""
    address = ollama_address(os.environ.get("OLLAMA_HOST"))
    if address is None:
        return None
    import httpx2  # 60 ms, paid for by `new` only

    # No proxy and no redirect: the question is whether this machine runs one.
    with httpx2.Client(timeout=timeout, trust_env=False) as client:
        try:
            version = _ask(client, f"{address}/api/version").get("version")
            named = entries(_ask(client, f"{address}/api/tags"))
        except (httpx2.HTTPError, ValueError):
            return None
    if not isinstance(version, str):
        return None
    newest = sorted(filter(_chats, named), key=_modified, reverse=True)
    return OllamaFound(address, version, _names(named), _names(newest))


def _names(entries: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(str(each["name"]) for each in entries)


def _chats(entry: dict[str, Any]) -> bool:
    """Whether a model of ``/api/tags`` can chat and runs here, not in the cloud."""
    return can_chat(entry) and not (cloud_name(entry["name"]) or entry.get("remote_host"))


def _modified(entry: dict[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(str(entry.get("modified_at")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _ask(client: httpx2.Client, url: str) -> dict[str, object]:
    import json

    with client.stream("GET", url) as answer:
        if not answer.is_success:
            raise ValueError(f"status {answer.status_code}")
        body = bytearray()
        for block in answer.iter_bytes():
            body += block
            if len(body) > _ANSWER_LIMIT:
                raise ValueError("an answer that is too long")
    found = json.loads(body)
    return found if isinstance(found, dict) else {}
