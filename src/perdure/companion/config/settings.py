"""``companion.yaml``: the companion's name, backends and policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

from perdure.companion.config.upgrades import FORMAT, SETTINGS, check_format
from perdure.companion.errors import BadFile, BadName, Trouble
from perdure.companion.names import check_name, normalised
from perdure.companion.yaml import schema, strict
from perdure.companion.yaml.quote import scalar

TimeShown = Literal["off", "date", "full"]
FactsPolicy = Literal["review", "accept", "off"]
SummariesPolicy = Literal["write", "review", "off"]
SyncPolicy = Literal["when quiet", "each turn", "off"]
_Share = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class ConversationPolicy:
    """When a conversation ends on its own."""

    idle_hours: Annotated[float, msgspec.Meta(gt=0, le=8784)] = 6
    """Hours without a turn after which the next one begins a new conversation."""
    max_chunks: Annotated[int, msgspec.Meta(ge=1, le=9999)] = 200


@dataclass(frozen=True, slots=True)
class ContextPolicy:
    """How the context window is divided, in tokens; None leaves it to the model's window."""

    reply_tokens: Annotated[int, msgspec.Meta(ge=16, le=1_000_000)] | None = None
    """Room kept for the reply, and its longest length."""
    prompt_tokens: Annotated[int, msgspec.Meta(ge=256, le=10_000_000)] | None = None
    """Most that is sent at all."""
    examples_tokens: _Share | None = None
    """Most that sample conversations may take; it is trimmed first."""
    lore_tokens: _Share | None = None
    facts_tokens: _Share | None = None
    summaries_tokens: _Share | None = None
    recall_tokens: _Share | None = None
    """Most that earlier turns, found for the newest message, may take."""


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """What perdure may look up, learn and write down without asking."""

    recall: bool = True
    """Whether earlier turns are looked up for each message."""
    facts: FactsPolicy = "review"
    """Whether proposed facts wait to be let in, enter at once, or are not proposed."""
    summaries: SummariesPolicy = "write"
    """Whether summaries are written at once, wait to be let in, or are not made."""


@dataclass(frozen=True, slots=True)
class LorePolicy:
    """When lore enters a prompt."""

    scan_depth: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4
    """How many messages, the newest last, are searched for keys."""
    probability: bool = False
    """Whether an entry's ``probability`` counts; without, a prompt is the same each time."""


@dataclass(frozen=True, slots=True)
class CompanionSettings:
    """The contents of ``companion.yaml``, with defaults filled in."""

    name: str
    user: str = "User"
    former_names: tuple[str, ...] = ()
    """Names that she had before: what was said under one of them is hers."""
    format: int = FORMAT
    language: str = "en"
    backends: tuple[str, ...] = ()
    """Names of manifests in failover order; the first one is asked first."""
    failover_to_hosted: bool = False
    time: TimeShown = "off"
    archived: bool = False
    """Whether the companion was put into the archive: read, not chatted with."""
    sync: SyncPolicy = "off"
    """When perdure syncs with the remotes by itself."""
    conversation: ConversationPolicy = field(default_factory=ConversationPolicy)
    context: ContextPolicy = field(default_factory=ContextPolicy)
    memory: MemoryPolicy = field(default_factory=MemoryPolicy)
    lore: LorePolicy = field(default_factory=LorePolicy)
    troubles: tuple[Trouble, ...] = ()
    """Keys that mean nothing in this version, each with its line; nothing else is wrong."""

    @property
    def her_names(self) -> tuple[str, ...]:
        """Her name and all her former names."""
        return (self.name, *self.former_names)


class _Settings(msgspec.Struct):
    format: int
    name: str
    user: str = "User"
    former_names: str | list[str] = []
    language: Annotated[str, msgspec.Meta(pattern="^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    backends: str | list[str] = []
    failover_to_hosted: bool = False
    time: TimeShown = "off"
    archived: bool = False
    sync: SyncPolicy = "off"
    conversation: ConversationPolicy = ConversationPolicy()
    context: ContextPolicy = ContextPolicy()
    memory: MemoryPolicy = MemoryPolicy()
    lore: LorePolicy = LorePolicy()


_INNER: Mapping[str, type] = {
    "conversation": ConversationPolicy,
    "context": ContextPolicy,
    "memory": MemoryPolicy,
    "lore": LorePolicy,
}


def parse_settings(data: bytes, *, read_only: bool = False) -> CompanionSettings:
    """Read ``companion.yaml``.

    Args:
        data: The file's bytes, at most 1 MiB.
        read_only: Read a newer format as far as this version knows it, instead of refusing it.

    Raises:
        NewerFormat: the format is newer than this version's, and ``read_only`` is not set.
        BadFile: the file cannot be read; names file and line.
    """
    node = strict.read_mapping(data, SETTINGS)
    number = _format(node)
    if not (read_only and number > FORMAT):
        check_format(number, node.lines.get("format", 0))
    read = schema.convert(node, _Settings, SETTINGS)
    troubles = schema.unknown_keys(node, _Settings)
    for key, shape in _INNER.items():
        inner = node.items.get(key)
        if isinstance(inner, strict.Mapping):
            troubles += schema.unknown_keys(inner, shape)
    former = [read.former_names] if isinstance(read.former_names, str) else read.former_names
    backends = [read.backends] if isinstance(read.backends, str) else read.backends
    for name in backends:
        if not name or "/" in name or name.startswith("."):
            line = node.lines["backends"]
            raise BadFile(SETTINGS, line, f"backends: '{name}' cannot be a backend's name")
    return CompanionSettings(
        name=_name(node, "name", read.name),
        user=_name(node, "user", read.user),
        former_names=tuple(dict.fromkeys(normalised(name) for name in former if name.strip())),
        format=number,
        language=read.language,
        backends=tuple(dict.fromkeys(backends)),
        failover_to_hosted=read.failover_to_hosted,
        time=read.time,
        archived=read.archived,
        sync=read.sync,
        conversation=read.conversation,
        context=read.context,
        memory=read.memory,
        lore=read.lore,
        troubles=tuple(sorted(troubles, key=lambda trouble: trouble.line)),
    )


def _format(node: strict.Mapping) -> int:
    found = node.items.get("format")
    if found is None:
        raise BadFile(SETTINGS, 0, "'format' is missing", next_step="add the line: format: 1")
    if isinstance(found, strict.Scalar) and found.text.isascii() and found.text.isdigit():
        return int(found.text[:9])
    raise BadFile(SETTINGS, found.line, "format: expected a number")


def _name(node: strict.Mapping, key: str, name: str) -> str:
    try:
        return check_name(name)
    except BadName as error:
        raise BadFile(SETTINGS, node.lines.get(key, 0), f"{key}: {error.what}") from error


Setting = str | int | float | bool | list[str] | None


def edit_settings(data: bytes, changes: Mapping[str, Setting], where: str = SETTINGS) -> bytes:
    """Change values in a YAML file; comments, order and all other values stay.

    Args:
        data: The file's bytes.
        changes: New values; a key of a nested mapping is written ``context.reply_tokens``. None
            takes the key away.
        where: The file's name in errors.

    Raises:
        BadFile: the file cannot be read, or a path leads through something that is no mapping.
    """
    strict.read_mapping(data, where)  # the strict reader's refusals, before the lenient one
    try:
        edited = _edited(data, changes, where)
    except BadFile:
        raise
    except Exception as error:
        # The library builds numbers, dates and merges (`<<`) of a stranger's text on the way.
        raise BadFile(
            where,
            0,
            "it contains something that would be lost if a program edited it",
            "nothing was changed",
            "edit it by hand",
        ) from error
    strict.read_mapping(edited, where)  # what cannot be read back is never written
    return edited


def _edited(data: bytes, changes: Mapping[str, Setting], where: str) -> bytes:
    """See `edit_settings`. Raises BadFile, and whatever the library raises."""
    import io

    from ruamel.yaml import YAML  # 30 ms, and few commands write YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(strict.decode(data, where))
    if tree is None:
        tree = CommentedMap()
    for path, value in changes.items():
        *parents, key = path.split(".")
        place = tree
        for parent in parents:
            if place.get(parent) is None:
                place[parent] = CommentedMap()
            place = place[parent]
            if not isinstance(place, CommentedMap):
                raise BadFile(where, 0, f"'{parent}' has no keys below it")
        if value is None:
            place.pop(key, None)
            # An emptied mapping that keeps a comment is dumped as broken YAML (ruamel.yaml 0.19.1).
            if not place and parents:
                _parent(tree, parents).pop(parents[-1])
        elif isinstance(value, list):
            names = CommentedSeq([_item(each) for each in value])
            names.fa.set_flow_style()
            place[key] = names
        else:
            place[key] = _typed(value)
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue().encode()


def _parent(tree: Any, parents: list[str]) -> Any:  # noqa: ANN401  ruamel's own mapping
    for name in parents[:-1]:
        tree = tree[name]
    return tree


def _item(text: str) -> str:
    """A list item on one line; ruamel.yaml (0.19.1) writes ``[?x]``, which is a mapping."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    return text if scalar(text) == text else DoubleQuotedScalarString(text)


def _typed(value: str | float) -> object:
    """``yes`` and ``no`` as plain words; YAML 1.2 writes them without quotes.

    A text with control characters is quoted: ruamel.yaml (0.19.1) folds a U+0085 to a space.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and not value.isprintable():
        from ruamel.yaml.scalarstring import DoubleQuotedScalarString

        return DoubleQuotedScalarString(value)
    return value
