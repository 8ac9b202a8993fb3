"""``backends/<name>.yaml``: how to reach one model. It holds references to keys, never a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated

import msgspec

from perdure.companion.errors import BadFile, Trouble
from perdure.companion.secrets import looks_secret
from perdure.companion.yaml import schema, strict
from perdure.companion.yaml.quote import quoted, scalar

BACKENDS_FOLDER = "backends"
MANIFEST_LIMIT = 64 * 1024
"""Bytes of a manifest."""

Parameter = float | int | str | bool | list[str]

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|keyring:[^/\s]+/\S+")
_SECRET_KEY = re.compile(
    r"(api|access|secret|auth)[-_]?(key|token)|token|password|secret", re.IGNORECASE
)
_BEARER = re.compile(r"\bBearer [A-Za-z0-9._-]{16,}")
_ADDRESS_SECRET = re.compile(
    r"//[^/@\s]*:[^/@\s]+@|[?&](?:key|api_key|token|access_token)=", re.IGNORECASE
)
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]

_SHAPE_WORDS = ("plain", "one-system", "no-system", "alternate")

_OTHER_NAMES = {
    name: key
    for key, names in {
        "address": "api_base base_url baseurl url uri endpoint host server",
        "key": "api_key apikey token",
        "context_window": "num_ctx n_ctx ctx window context context_length",
        "driver": "provider type kind backend",
        "model": "model_name model_id engine deployment",
        "parameters": "temperature top_p top_k min_p repeat_penalty seed stop max_tokens",
    }.items()
    for name in names.split()
}
"""Keys of other programs' files, and what they are called here."""

_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backend's manifest. ``name`` is the file name without ``.yaml``."""

    name: str
    driver: str
    model: str
    address: str = ""
    key: str = ""
    """``env:NAME`` or ``keyring:service/user``."""
    context_window: int = 0
    """Tokens of prompt and reply together; 0 means: what the model itself states."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Sampling parameters under their common names; the driver refuses those it does not know."""
    allow_http: bool = False
    """Text and key may go in clear to a server that is not this machine."""
    connect_timeout: float = 0.0
    """Seconds to wait for a connection; 0 means: the driver's own."""
    timeout: float = 0.0
    """Seconds that a server may be silent; 0 means: the driver's own."""
    shape: str = ""
    """Which roles a prompt may have; empty: what the server is found to take."""
    troubles: tuple[Trouble, ...] = ()
    """Keys that mean nothing in this version."""


class _Manifest(msgspec.Struct):
    driver: Annotated[str, msgspec.Meta(min_length=1)]
    model: Annotated[str, msgspec.Meta(min_length=1)]
    address: str = ""
    key: str = ""
    context_window: Annotated[int, msgspec.Meta(ge=0, le=100_000_000)] = 0
    allow_http: bool = False
    connect_timeout: _Seconds = 0.0
    timeout: _Seconds = 0.0
    shape: str = ""


class _Known(_Manifest):
    parameters: str = ""


def manifest_path(name: str) -> str:
    """The path of a backend's manifest."""
    return f"{BACKENDS_FOLDER}/{name}.yaml"


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read a manifest; ``where`` is its path and gives the backend its name.

    Raises:
        BadFile: it cannot be read, lacks driver or model, or holds a secret. The secret itself is
            not repeated in the error.
    """
    if len(data) > MANIFEST_LIMIT:
        raise BadFile(where, 0, f"larger than {MANIFEST_LIMIT // 1024} KiB")
    node = strict.read_mapping(data, where)
    _refuse_secrets(node, where)
    parameters = node.items.pop("parameters", None)
    read = schema.convert(node, _Manifest, where)
    if not _is_shape(read.shape):
        raise BadFile(
            where,
            node.lines["shape"],
            f"shape: {read.shape!r} is not a known shape",
            kept="it was not used",
            next_step=f"use one of: {', '.join(_SHAPE_WORDS)}",
        )
    if read.key and not _REFERENCE.fullmatch(read.key):
        raise _secret(where, node.lines["key"], "key")
    return Manifest(
        name=PurePosixPath(where).stem,
        **msgspec.structs.asdict(read),
        parameters=_parameters(parameters, where),
        troubles=tuple(map(_meant, schema.unknown_keys(node, _Known))),
    )


def check_keys(manifest: Manifest) -> None:
    """Raise BadFile for a key that perdure does not know: we cannot tell what it should do.

    A misspelt address would send the conversation to the driver's usual one.
    """
    for trouble in manifest.troubles:
        raise BadFile(
            manifest_path(manifest.name),
            trouble.line,
            re.sub(r", (did you mean .*)", r" (\1)", trouble.what),
            kept="nothing is sent through it",
            next_step="correct the key, or remove the line",
        )


def _meant(trouble: Trouble) -> Trouble:
    """Name our key for one that another program's files use."""
    key = trouble.what.removeprefix("unknown key '").partition("'")[0]
    if "did you mean" in trouble.what:
        return trouble
    import difflib  # only where there is something to guess

    near = difflib.get_close_matches(key.lower().replace("-", "_"), _OTHER_NAMES, n=1, cutoff=0.8)
    if not near:
        return trouble
    name = _OTHER_NAMES[near[0]]
    return Trouble(trouble.line, f"{trouble.what}, did you mean '{name}'?")


def _is_shape(text: str) -> bool:
    words = set(re.split(r"[\s,]+", text.strip().lower())) if text.strip() else set()
    return words <= set(_SHAPE_WORDS) and ("plain" not in words or len(words) == 1)


def _refuse_secrets(node: strict.Node, where: str, key: str = "") -> None:
    match node:
        case strict.Mapping():
            for name, item in node.items.items():
                _refuse_secrets(item, where, name)
        case strict.Sequence():
            for item in node.items:
                _refuse_secrets(item, where, key)
        case strict.Scalar():
            named = _SECRET_KEY.fullmatch(key) and node.text and not node.absent
            if named and _REFERENCE.fullmatch(node.text):
                return
            shaped = looks_secret(node.text) or _BEARER.search(node.text)
            if named or shaped or _ADDRESS_SECRET.search(node.text):
                raise _secret(where, node.line, key)


def _secret(where: str, line: int, key: str) -> BadFile:
    return BadFile(
        where,
        line,
        f"'{key}' contains the secret itself, and everything here is committed and pushed",
        kept="it was not used",
        next_step="put the key into an environment variable and write 'key: env:NAME', or into "
        "the keyring and write 'key: keyring:service/user'",
    )


def _parameters(node: strict.Node | None, where: str) -> dict[str, Parameter]:
    if node is None or (isinstance(node, strict.Scalar) and node.absent):
        return {}
    if not isinstance(node, strict.Mapping):
        raise BadFile(where, node.line, "parameters: expected lines of the form 'name: value'")
    values: dict[str, Parameter] = {}
    for name, item in node.items.items():
        match item:
            case strict.Scalar():
                if not item.absent:
                    values[name] = _value(item)
            case strict.Sequence():
                texts = [entry.text for entry in item.items if isinstance(entry, strict.Scalar)]
                if len(texts) != len(item.items):
                    raise BadFile(where, item.line, f"parameters.{name}: expected a list of texts")
                values[name] = texts
            case strict.Mapping():
                raise BadFile(where, item.line, f"parameters.{name}: expected one value")
    return values


def _value(node: strict.Scalar) -> Parameter:
    """A parameter's value: a number, yes or no if it is unquoted and looks like one; else text."""
    if not node.plain:
        return node.text
    if _INTEGER.fullmatch(node.text):
        return int(node.text)
    if _FLOAT.fullmatch(node.text):
        return float(node.text)
    said = schema.yes_no(node.text)
    return node.text if said is None else said


def render_manifest(manifest: Manifest) -> bytes:
    """Write a manifest, leaving out what equals its default."""
    lines = [
        f"driver: {scalar(manifest.driver)}",
        f"model: {scalar(manifest.model)}",
    ]
    texts = (("address", manifest.address), ("key", manifest.key))
    lines += [f"{name}: {scalar(text)}" for name, text in texts if text]
    if manifest.context_window:
        lines.append(f"context_window: {manifest.context_window}")
    if manifest.allow_http:
        lines.append("allow_http: yes")
    lines += [
        f"{name}: {seconds:.0f}" if seconds.is_integer() else f"{name}: {seconds!r}"
        for name in ("connect_timeout", "timeout")
        if (seconds := float(getattr(manifest, name)))
    ]
    if manifest.shape:
        lines.append(f"shape: {scalar(manifest.shape)}")
    if manifest.parameters:
        lines.append("parameters:")
        lines.extend(f"  {scalar(k)}: {_rendered(v)}" for k, v in manifest.parameters.items())
    return ("\n".join(lines) + "\n").encode()


def _rendered(value: Parameter) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, list):
        return f"[{', '.join(quoted(item) for item in value)}]"
    return repr(value)
