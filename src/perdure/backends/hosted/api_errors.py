"""Errors of the OpenAI and Anthropic protocols, in all the wordings that servers use.

Codes: https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from perdure.backends.errors import (
    BackendError,
    BadParameter,
    ContentRefused,
    ContextExceeded,
    FieldRefused,
    ModelMissing,
    QuotaExceeded,
    ShapeRefused,
)
from perdure.backends.http.error_body import ServerMessage, without_prompt
from perdure.backends.http.errors import AT_FAULT, TOO_LONG, status_error
from perdure.backends.roles.refusal import MAY_NAME_ROLES, NAMES_ROLES

_OURS = r"\b(?:prompts?|inputs?|requests?|messages?|conversations?)\b"
_TOO_LONG_HERE = re.compile(
    rf"context_length_exceeded|context_window_exceeded|request_too_large"
    rf"|maximum (?:context|prompt|input) length|exceed context limit|tokens\W{{0,3}} must be <="
    rf"|{_OURS}.{{0,30}}\btoo (?:long|large|many tokens)|reduce the length of .{{0,20}}{_OURS}"
    rf"|too many (?:input )?tokens|(?:input|prompt) length (?:should be|exceed)"
    rf"|(?:{_OURS}|\btotal\b|\brequested\b).{{0,60}}\btokens?\b.{{0,40}}(?:exceed|limit)"
    rf"|exceeds? .{{0,20}}message tokens|first \d+ tokens when context"
    rf"|(?:上下文|输入|长度).{{0,12}}(?:超过|超出|过长)|(?:{TOO_LONG.pattern})",
    re.IGNORECASE | re.DOTALL,
)
_PROMPT_TOKENS = re.compile(
    r"resulted in (\d+) tokens|too long: (\d+) tokens|request \((\d+) tokens\)"
    r"|request contains (\d+) tokens|Given: (\d+) `?inputs|[Pp]rompt (?:contains|has) (\d+) tokens"
    r"|\((\d+) of text input|\((\d+) in the messages|: (\d+) tokens from the input"
    r"|has (\d+) input tokens|input token count \((\d+)\)"
)
_WINDOW = re.compile(
    r"context size \((\d+) tokens\)|context length (?:is|of)(?: only)? (\d+) tokens|> (\d+) maximum"
    r"|context window of (\d+)|maximum prompt length is (\d+)|must be <= (\d+)"
    r"|tokens allowed \((\d+)\)|with (\d+) maximum context|\[1, (\d+)\]"
)
_NO_MODEL = re.compile(
    r"model_not_found|\bmodels?\b.*(not (found|exist)|unknown|no such)|^model: ",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The backend and server that were asked, for error texts."""

    name: str
    model: str
    window: int


def api_error(
    asked: Endpoint,
    status: int,
    found: ServerMessage,
    headers: Mapping[str, str] | None = None,
    sent: Mapping[str, Any] | None = None,
) -> BackendError:
    """The error for a status and a server's words; 200 for an error in mid-stream.

    ``sent`` is the request's body.
    """
    status = found.status if status == 200 and found.status else status
    said = f"{asked.name} says: {found.text}" if found.text else ""
    by_words = _by_words(asked, status, found)
    if by_words is not None:
        return by_words
    refusal = _refusal(asked, status, found, sent or {})
    if refusal is not None:
        return refusal
    if _BAD_PARAMETER.search(found.codes) or (
        status in {400, 422} and _NAMES_PARAMETER.search(f"{' '.join(found.fields)} {found.text}")
    ):
        return BadParameter(said, next_step="change or remove it in the manifest's parameters")
    meant = (code for pattern, code in _STATUS_OF if re.search(pattern, found.codes))
    return status_error(
        next(meant, status),
        said or f"{asked.name} answered with status {status}",
        headers or {},
        window=asked.window,
        key_step="check the manifest's key",
        protocol_step="check the manifest's address and model, or let perdure find out what it "
        f"accepts: perdure backend check {asked.name}",
    )


def _refusal(
    asked: Endpoint, status: int, found: ServerMessage, sent: Mapping[str, Any]
) -> BackendError | None:
    """A refusal that a different request may avoid: it names a field, or the roles."""
    said = f"{asked.name} says: {found.text or found.codes}"
    # Some servers repeat what was said to them, and that may speak of fields and roles too.
    own = without_prompt(found.words, texts_of(sent))
    for words, proven in ((own, True), (found.words, False)):
        field = refused_field(found.fields, words, sent) if status in AT_FAULT else ""
        if field:
            return FieldRefused(said, field, "try another model or server", proven=proven)
        all_words = f"{found.codes} {'.'.join(found.fields)} {words}"
        refused = role_refusal(said, all_words, status, name=asked.name, model=asked.model)
        if refused is not None:
            refused.proven = refused.proven and proven
            return refused
    return None


def texts_of(sent: Mapping[str, Any]) -> str:
    """The texts of a request's messages, and of Anthropic's ``system``."""
    found: list[str] = []
    left = [sent.get("messages"), sent.get("system")]
    while left:
        match left.pop():
            case str() as text:
                found.append(text)
            case list() as several:
                left += several
            case dict() as entry:
                left += [entry.get("content"), entry.get("text")]
    return "\n".join(found)


def role_refusal(
    said: str, words: str, status: int, *, name: str, model: str
) -> ShapeRefused | None:
    """The refusal of a prompt's roles, if the server's words are (or may be) about them.

    llama.cpp answers 500 where a template raises, so that status may mean the request too.
    """
    # A model may be called after roles.
    words = re.sub(rf"(?<!\w){re.escape(model)}(?!\w)", "", words)
    if not MAY_NAME_ROLES.search(words) or status not in {*AT_FAULT, 200, 500}:
        return None
    return ShapeRefused(
        said,
        words,
        proven=status in AT_FAULT and NAMES_ROLES.search(words) is not None,
        next_step=f"perdure backend check {name}, or say what the model accepts with 'shape:' in "
        "the manifest",
    )


def refused_field(named: Collection[str], words: str, sent: Collection[str]) -> str:
    """The optional request field that a refusal names; empty for none.

    ``named`` are the fields that it names apart from its words.
    """
    possible = [name for name in CAN_BE_LEFT_OUT if name in sent]
    for name in possible:
        if name in named:
            return name
    places = {
        match.start(): name
        for name in possible
        if (match := re.search(_mention(name), words, re.IGNORECASE)) is not None
    }
    return places[min(places)] if places else ""


def _mention(name: str) -> str:
    """How a refusal mentions a field; a field named by an ordinary word must be quoted."""
    if "_" in name or name == "temperature":
        return rf"\b{name}\b"
    return (
        rf"['\"`.\u201c\u2018\[]{name}['\"`\u2019\u201d\]]|(?:argument|parameter|field|property|option|key|参数)s?"
        rf"(?: supplied)?:? {name}\b|^\W*(?:body\W)?{name}(?::| is| was| 不)"
    )


def _by_words(asked: Endpoint, status: int, found: ServerMessage) -> BackendError | None:
    words = f"{found.codes} {found.words}"
    said = f"{asked.name} says: {found.text or found.codes}"
    if _NOTHING_LEFT.search(words):
        return QuotaExceeded(said, next_step="check the account's balance")
    if status != 429 and _TOO_LONG_HERE.search(words):
        window = _stated(_WINDOW, found.words) or asked.window
        return ContextExceeded(_stated(_PROMPT_TOKENS, found.words), window)
    if _DECLINED.search(words):
        return ContentRefused(said)
    missing = status in {200, 400, 404, 422} and _NO_MODEL.search(words)
    if missing or (status == 404 and "model" in found.text.lower()):
        return ModelMissing(
            f"{asked.name} has no model {asked.model}", next_step="check the manifest's model"
        )
    return None


def _stated(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return next((int(each) for each in found.groups() if each), None) if found else None


CAN_BE_LEFT_OUT = (
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "stop_sequences",
    "repeat_penalty",
    "repetition_penalty",
    "cache_control",
)
"""Fields without which a request still asks for the same reply, if not with the same settings."""
_NOTHING_LEFT = re.compile(
    r"insufficient_quota|billing|credit balance|insufficient (credit|balance|fund)", re.IGNORECASE
)
_DECLINED = re.compile(
    r"content_filter|content_policy|content management policy|moderation|flagged", re.IGNORECASE
)
_BAD_PARAMETER = re.compile(r"unsupported_(parameter|value)|unknown_parameter|invalid_value")
_NAMES_PARAMETER = re.compile(
    r"\b(temperature|top_p|top_k|min_p|seed|stop_sequences|(repeat|repetition)_penalty|max_tokens)\b"
)
_STATUS_OF = (
    (r"rate_limit", 429),
    (r"overloaded|slow_down|unavailable_error", 529),
    (r"authentication_error|permission_error|invalid_api_key", 401),
    (r"timeout_error", 504),
    (r"not_found_error", 404),
)
"""Types and codes, and the status that goes with each: in mid-stream HTTP has said 200 already."""
