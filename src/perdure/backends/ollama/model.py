"""What an Ollama server says about a model, and what its token counts prove."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure.backends.protocol import (
    BackendSpec,
    Fingerprint,
    OfferedModel,
    PromptMessage,
    Tokenizer,
)
from perdure.backends.roles.template import ollama_shape

if TYPE_CHECKING:
    from ollama import ShowResponse

DEFAULT_WINDOW = 8192
"""Where neither manifest nor Modelfile names one: a window of 128k tokens takes many gigabytes."""

_PADDING = 256
"""llama.cpp rounds a window up to a multiple of this."""
_SLACK = 8
_TEMPLATE_SHARE = 16
"""Tokens that a template puts around one message, at most."""


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """One model, as the server describes it."""

    name: str
    window: int
    """Tokens, sent as ``num_ctx`` with every request: another number would load the model anew."""
    stops: tuple[str, ...]
    thinks: bool
    remote: bool
    """The server passes this model's prompts on to another machine."""
    digest: str
    """Of the model's manifest file, 64 hex digits: weights, template, system text and parameters;
    empty where the server lists none."""
    details: Mapping[str, str]
    shape: str = ""
    """What its template takes."""

    def fingerprint(self, version: str) -> Fingerprint:
        """``short`` starts with the ID from ``ollama list``, or is a hash if there is none."""
        details = {**self.details, "runtime": f"ollama {version}".strip()}
        known = json.dumps([self.name, dict(self.details)], sort_keys=True)
        return Fingerprint((self.digest or _hash(known))[:16], details, self.shape)


def cloud_name(model: str) -> bool:
    """Whether a name means that Ollama's cloud runs the model: ``gpt-oss:120b-cloud``."""
    return model.rpartition(":")[2].lower().endswith("cloud") and ":" in model


def full_name(model: str) -> str:
    """A name with its tag, as Ollama lists it."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def listed_entry(tags: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The entry for ``model`` in an answer of ``/api/tags``; empty if there is none."""
    wanted = {model.lower(), full_name(model).lower()}
    return next((each for each in entries(tags) if str(each["name"]).lower() in wanted), {})


def entries(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of ``/api/tags`` or ``/api/ps`` that have a name."""
    listed = answer.get("models")
    return [
        each
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    ]


def can_chat(entry: Mapping[str, Any]) -> bool:
    """Whether a model of ``/api/tags`` can chat: no embedding model, no reranker."""
    name = str(entry["name"]).lower()
    details = entry.get("details")
    details = details if isinstance(details, dict) else {}
    families = details.get("families")
    kinds = {str(each) for each in families} if isinstance(families, list) else set()
    abilities = entry.get("capabilities")
    if isinstance(abilities, list) and "completion" not in abilities:
        return False
    return not (
        "embed" in name
        or "rerank" in name
        or any("bert" in kind.lower() for kind in kinds | {str(details.get("family"))})
    )


def offered(tags: Mapping[str, Any], running: Mapping[str, Any]) -> list[OfferedModel]:
    """The models of ``/api/tags`` that can chat; ``running`` is an answer of ``/api/ps``."""
    loaded = {str(each["name"]) for each in entries(running)}
    found = []
    for entry in filter(can_chat, entries(tags)):
        name, details = str(entry["name"]), entry.get("details")
        window = _whole(details.get("context_length")) if isinstance(details, dict) else 0
        size = _whole(entry.get("size"))
        found.append(OfferedModel(name, size, window, loaded=name in loaded))
    return found


def digest_of(entry: Mapping[str, Any]) -> str:
    """The digest in an entry of ``/api/tags``, without its prefix; empty if there is none."""
    digest = str(entry.get("digest") or "").removeprefix("sha256:")
    return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else ""


def ollama_model(spec: BackendSpec, entry: Mapping[str, Any], shown: ShowResponse) -> OllamaModel:
    """The model from its entry in ``/api/tags`` and the answer of ``/api/show``."""
    facts = shown.modelinfo or {}
    own = _whole(facts.get(f"{facts.get('general.architecture')}.context_length"))
    set_up = _parameters(shown.parameters or "")
    window = spec.context_window or _whole("".join(set_up.get("num_ctx", [])[-1:]))
    window = window or DEFAULT_WINDOW
    digest = digest_of(entry)
    adapters = re.findall(r"^ADAPTER\s+(\S+)", shown.modelfile or "", re.MULTILINE)
    return OllamaModel(
        name=full_name(spec.model),
        # Ollama would give more than the model was trained for, and the model would ramble.
        window=min(window, own) if own else window,
        stops=tuple(set_up.get("stop", ())),
        thinks="thinking" in (shown.capabilities or ()),
        remote=bool(entry.get("remote_host") or entry.get("remote_model")),
        digest=digest,
        details={
            "digest": f"sha256:{digest}" if digest else "",
            "quantisation": (shown.details and shown.details.quantization_level) or "",
            "template": f"sha256:{_hash(shown.template or '')}",
            "parameters": f"sha256:{_hash(shown.parameters or '')}",
            # File names only: folders of the server's machine are nobody's business.
            "adapters": " ".join(path.replace("\\", "/").rpartition("/")[2] for path in adapters),
            "context_length": str(own or ""),
            "window": str(min(window, own) if own else window),
        },
        shape=ollama_shape(shown.template or "", shown.modelfile or ""),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _whole(value: object) -> int:
    """A positive whole number, else 0."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and value > 0 else 0


def _parameters(text: str) -> dict[str, list[str]]:
    """A Modelfile's parameters as ``/api/show`` prints them: one name and value a line."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if value.startswith('"'):
            try:
                value = str(json.loads(value))
            except ValueError:
                value = value.strip('"')
        if name and value:
            found.setdefault(name, []).append(value)
    return found


def prompt_was_cut(
    prompt: int,
    reply: int,
    *,
    window: int,
    version: str,
    messages: tuple[PromptMessage, ...],
    tokenizer: Tokenizer,
) -> bool:
    """Whether the server's counts prove that it cut the prompt.

    Ollama drops the oldest messages until the rest fits, then cuts the front of what is left to
    exactly the window, and answers with status 200. From 0.12.6 on this driver tells it not to;
    this is for older ones. Only what cannot be otherwise counts: Ollama before 0.4, and some 0.30,
    left what was cached out of ``prompt_eval_count`` (ollama/ollama#3427, #16414), so a small count
    alone proves nothing.

    Args:
        prompt: ``prompt_eval_count``.
        reply: ``eval_count``.
        window: ``num_ctx`` as it was sent.
        version: of the server.
        messages: what was sent.
        tokenizer: may be off by some ten percent.
    """
    if prompt >= window - 1:
        return True
    # Past the end of its window a model goes on by forgetting the front of it.
    if prompt + reply > -(-window // _PADDING) * _PADDING + _SLACK:
        return True
    if not (0, 4) <= _version(version) < (0, 13):
        return False
    # What is left after dropping messages would not have fitted with the last one dropped; a token
    # has at least one byte.
    largest = (
        max((len(each.content.encode("utf-8", "replace")) for each in messages), default=0)
        + _TEMPLATE_SHARE
    )
    return prompt + largest > window and prompt * 2 < tokenizer.count_prompt(messages)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", text.partition("-")[0])[:2])
