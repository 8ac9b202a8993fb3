"""What the OpenAI and Anthropic protocols say about a failure, in the many forms that servers have.

Forms: https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors;
servers that speak one of them also answer ``{"error": "text"}``, ``{"detail": …}`` or a number as
code.
"""

from __future__ import annotations

import json
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
from perdure.backends.http_errors import TOO_LONG, error_line, status_error
from perdure.backends.prompt_shape import NAMES_ROLES

_TOO_LONG_HERE = re.compile(
    rf"context_length_exceeded|context_window_exceeded|request_too_large|prompt is too long"
    rf"|maximum context length|exceed context limit|input is too long|tokens must be <="
    rf"|input token count .{{0,40}}exceeds|(?:{TOO_LONG.pattern})",
    re.IGNORECASE | re.DOTALL,
)
_PROMPT_TOKENS = re.compile(
    r"resulted in (\d+) tokens|too long: (\d+) tokens|request \((\d+) tokens\)"
)
_WINDOW = re.compile(
    r"context size \((\d+) tokens\)|context length is (\d+) tokens|> (\d+) maximum"
)
_NO_MODEL = re.compile(
    r"model_not_found|\bmodels?\b.*(not (found|exist)|unknown|no such)|^model: ",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """A server's own words about an error."""

    text: str = ""
    codes: str = ""
    """Its types and codes, with blanks between, in lower case."""
    status: int | None = None
    """A status named inside the body, which counts where HTTP's own was 200."""
    fields: tuple[str, ...] = ()
    """Fields of the request that it names apart from its words."""


def read_complaint(body: object, secret: str = "") -> Complaint:
    """The words in an error's body, without ``secret``; another body has none. Never raises."""
    if isinstance(body, bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return Complaint()
    if isinstance(body, list) and body:
        body = body[0]
    while isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if isinstance(body, str):
        return Complaint(error_line(body, secret))
    if not isinstance(body, dict):
        return Complaint()
    said = next((body[key] for key in ("message", "error", "detail") if body.get(key)), "")
    named = [body[key] for key in ("type", "code") if isinstance(body.get(key), (str, int))]
    numbers = [int(each) for each in named if str(each).isdecimal()]
    return Complaint(
        error_line(said if isinstance(said, str) else json.dumps(said), secret),
        " ".join(str(each).lower() for each in named),
        next((number for number in numbers if 400 <= number < 600), None),
        _named(body),
    )


def _named(body: Mapping[str, Any]) -> tuple[str, ...]:
    """OpenAI's ``param``, and the ``loc`` of servers that check requests with pydantic."""
    details = body.get("detail")
    places = (
        [each.get("loc") for each in details if isinstance(each, dict)]
        if isinstance(details, list)
        else []
    )
    parts = [part for place in places if isinstance(place, list) for part in place]
    return tuple(part for part in (body.get("param"), *parts) if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom we asked, for the errors' texts."""

    name: str
    model: str
    window: int


def api_error(
    asked: Asked,
    status: int,
    found: Complaint,
    headers: Mapping[str, str] | None = None,
    sent: Collection[str] = (),
) -> BackendError:
    """The error that a status and a server's words mean; 200 for an error in mid-stream.

    ``sent`` are the fields that the request had.
    """
    status = found.status if status == 200 and found.status else status
    said = f"{asked.name} says: {found.text}" if found.text else ""
    by_words = _by_words(asked, status, found)
    if by_words is not None:
        return by_words
    refusal = _refusal(asked, status, found, sent)
    if refusal is not None:
        return refusal
    if _BAD_PARAMETER.search(found.codes) or (
        status in {400, 422} and _NAMES_PARAMETER.search(found.text)
    ):
        return BadParameter(said, next_step="change or remove it in the manifest's parameters")
    meant = (code for pattern, code in _STATUS_OF if re.search(pattern, found.codes))
    return status_error(
        next(meant, status),
        said or f"{asked.name} answers with status {status}",
        headers or {},
        window=asked.window,
        key_step="check the manifest's key",
        protocol_step="check the manifest's address and model",
    )


def _refusal(
    asked: Asked, status: int, found: Complaint, sent: Collection[str]
) -> BackendError | None:
    """A refusal that another form of the request may mend: it names a field, or the roles."""
    said = f"{asked.name} says: {found.text or found.codes}"
    field = refused_field(found, sent) if status in AT_FAULT else ""
    if field:
        return FieldRefused(said, field, "try another model or server")
    words = f"{found.codes} {' '.join(found.fields)} {found.text}"
    return role_refusal(said, words, status, name=asked.name, model=asked.model)


def role_refusal(
    said: str, words: str, status: int, *, name: str, model: str
) -> ShapeRefused | None:
    """The refusal of a prompt's roles, where a server's words speak of them.

    llama.cpp answers 500 where a template raises, so that status may mean the request too.
    """
    # A model may be called after roles.
    words = re.sub(rf"(?<!\w){re.escape(model)}(?!\w)", "", words)
    if not NAMES_ROLES.search(words) or status not in {*AT_FAULT, 200, 500}:
        return None
    return ShapeRefused(
        said,
        words,
        proven=status in AT_FAULT,
        next_step=f"perdure backend check {name}, or say what the model takes with 'shape:' in the "
        "manifest",
    )


def refused_field(found: Complaint, sent: Collection[str]) -> str:
    """The field of the request that a refusal names and that can be left out; empty for none."""
    possible = [name for name in CAN_BE_LEFT_OUT if name in sent]
    for name in possible:
        if name in found.fields:
            return name
    places = {
        match.start(): name
        for name in possible
        if (match := re.search(_mention(name), found.text)) is not None
    }
    return places[min(places)] if places else ""


def _mention(name: str) -> str:
    """A name that is an ordinary word too counts in quotes only."""
    quoted = rf"['\"`.]{name}['\"`]"
    return quoted if "_" not in name and name != "temperature" else rf"\b{name}\b"


def _by_words(asked: Asked, status: int, found: Complaint) -> BackendError | None:
    words = f"{found.codes} {found.text}"
    said = f"{asked.name} says: {found.text or found.codes}"
    if _NOTHING_LEFT.search(words):
        return QuotaExceeded(said, next_step="look at the account's balance")
    if status != 429 and _TOO_LONG_HERE.search(words):
        window = _stated(_WINDOW, found.text) or asked.window
        return ContextExceeded(_stated(_PROMPT_TOKENS, found.text), window)
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


AT_FAULT = frozenset({400, 406, 415, 422})
"""Statuses that say that the request itself cannot be taken."""
CAN_BE_LEFT_OUT = (
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
