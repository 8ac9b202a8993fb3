"""Find a server's error message in the many kinds of bodies that carry one.

Forms: https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors,
https://www.rfc-editor.org/rfc/rfc9457; FastAPI's ``detail``, Google's ``details``, gateways that
put the answer of the server behind them into a field of their own, web pages, plain text.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from perdure.backends.http.errors import LINE_LIMIT, error_line

_SAYS = (
    "message",
    "msg",
    "error",
    "errors",
    "detail",
    "details",
    "error_message",
    "errormessage",
    "error_msg",
    "errormsg",
    "error_description",
    "fieldviolations",
    "description",
    "metadata",
    "raw",
    "body",
)
"""Keys, in lower case, whose texts are words about the error; ``input`` and others repeat ours."""
_ELSE_SAYS = ("title", "reason", "text")
_PLACES = ("param", "parameter", "field", "property", "path", "loc")
_KINDS = ("type", "code", "error_type")
_STATUSES = ("code", "type", "status", "status_code", "statuscode")
_MOST = 8
"""Entries of a list, and levels inside one another, that are read."""
_WORDS_LIMIT = 1 << 10
_PAGE_READ = 8 << 10
"""Letters of a web page that are looked at: a longer one is no short one."""
_NO_TEXT = re.compile(
    r"<!--.*?-->|<(script|style|svg|title)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE
)
_CUT_SAYS = re.compile(r'"(?:message|msg|error|detail)"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """A server's own words about an error."""

    text: str = ""
    """On one line, to be shown."""
    codes: str = ""
    """Its types and codes, with blanks between, in lower case."""
    status: int | None = None
    """A status named inside the body, which counts where HTTP's own was 200."""
    fields: tuple[str, ...] = ()
    """Fields of the request that it names apart from its words."""
    words: str = ""
    """All that it says, which may be more than is shown."""


def read_server_message(body: object, secret: str = "") -> ServerMessage:
    """The message in an error's body, without ``secret``; may be empty. Never raises."""
    value = _read(body.decode("utf-8", "replace")) if isinstance(body, bytes) else body
    found = _Reading()
    found.read(value, 0)
    words = ": ".join(found.texts)[:_WORDS_LIMIT]
    words = " ".join((words.replace(secret, "…") if secret else words).split())
    return ServerMessage(
        error_line(words), " ".join(found.kinds), found.status, tuple(found.places), words
    )


def is_error(event: Mapping[str, Any]) -> bool:
    """Whether an OpenAI event is an error under a key other than ``error``."""
    if event.get("object") == "error":
        return True
    if "choices" in event:
        return False
    if any(event.get(key) for key in ("detail", "errors", "error_message", "error_msg")):
        return True
    if not any(event.get(key) for key in ("message", "msg")):
        return False
    found = _Reading()
    found.read(event, 0)
    return found.status is not None or "error" in " ".join(found.kinds) or "success" in event


def _read(text: str) -> object:
    """A body's content: JSON (also as an event, or cut off), else words."""
    text = text.lstrip("\ufeff \t\r\n")
    event = re.search(r"^data:\s*(\{.*)", text, re.MULTILINE)
    for each in (text, event[1] if event else ""):
        try:
            return json.loads(each)
        except (ValueError, RecursionError):
            continue
    if text.startswith(("{", "[")):
        # Some servers repeat the whole request behind the words.
        found = _CUT_SAYS.search(text)
        return _unquoted(found[1]) if found else ""
    if text.startswith("<"):
        # A page of a proxy has more to say than its status; only a short one is about us.
        plain = " ".join(html.unescape(_NO_TEXT.sub(" ", text[:_PAGE_READ])).split())
        return plain if len(text) <= _PAGE_READ and len(plain) <= LINE_LIMIT else ""
    return "" if "\ufffd" in text else text


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text


class _Reading:
    """What is found while a body is read, from the outside in."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.kinds: list[str] = []
        self.places: list[str] = []
        self.status: int | None = None

    def read(self, value: object, depth: int) -> None:
        if depth > _MOST or len(self.texts) > _MOST:
            return
        match value:
            case str():
                self._text(value.strip(), depth)
            case list():
                for each in value[:_MOST]:
                    self.read(each, depth + 1)
            case dict():
                self._object({str(key).lower(): each for key, each in value.items()}, depth)

    def _text(self, text: str, depth: int) -> None:
        if text[:1] in {"{", "["}:
            inner = _read(text)
            if isinstance(inner, dict | list):
                self.read(inner, depth + 1)
                return
        # A gateway says in its own words what it passes on.
        if text and not any(text in each for each in self.texts):
            self.texts = [each for each in self.texts if each not in text] + [text]

    def _object(self, value: Mapping[str, Any], depth: int) -> None:
        self.kinds += [str(value[key]).lower() for key in _KINDS if _is_plain(value.get(key))]
        self.places += [part for key in _PLACES for part in _parts(value.get(key))]
        numbers = (str(value[key]) for key in _STATUSES if _is_plain(value.get(key)))
        stated = next((int(each) for each in numbers if re.fullmatch(r"[45]\d\d", each)), None)
        self.status = self.status if stated is None else stated
        before = len(self.texts)
        for key in _SAYS:
            self.read(value.get(key), depth + 1)
        if len(self.texts) == before:
            for key in _ELSE_SAYS:
                self.read(value.get(key), depth + 1)
        if len(self.texts) == before and depth:
            # Texts by the name of the field that they are about.
            for name, said in value.items():
                if isinstance(said, list) and said and all(isinstance(each, str) for each in said):
                    self.places.append(name)
                    self.read(said, depth + 1)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _parts(place: object) -> Iterator[str]:
    """The names in OpenAI's ``param``, pydantic's ``loc`` and paths of either."""
    for each in place if isinstance(place, list) else [place]:
        if isinstance(each, str):
            yield from filter(None, re.split(r"[.\[\]/]", each))


def without_prompt(words: str, sent: str) -> str:
    """The words without what they repeat of a request's texts.

    Args:
        words: a server's.
        sent: the texts of the messages, one behind the other.
    """
    places = [at for at, letter in enumerate(words) if not letter.isspace()]
    said, ours = "".join(words.split()), "".join(sent.split())
    windows = {said[at : at + _ECHO] for at in range(len(said) - _ECHO + 1)}
    slices = (ours[at : at + _ECHO] for at in range(len(ours) - _ECHO + 1))
    repeated = set(filter(windows.__contains__, slices))
    kept = list(words)
    for at in range(len(said) - _ECHO + 1):
        if said[at : at + _ECHO] in repeated:
            for place in places[at : at + _ECHO]:
                kept[place] = " "
    return "".join(kept)


_ECHO = 16
"""Letters, without blanks, that a server repeats rather than says by chance."""
