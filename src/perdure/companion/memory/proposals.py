"""``memory/review/<conversation-id>.md``: proposed changes to memory, awaiting your review.

Nothing in it is ever read into a prompt. A proposal is taken off the list by its lines, so that
what stands around it, also what cannot be read, stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from perdure.companion.conversation.escape import escape_text, unescape
from perdure.companion.errors import BadFile, FileTrouble
from perdure.companion.ids import ConversationId
from perdure.companion.memory.facts import (
    escape_line,
    is_conflict_mark,
    is_source,
    split_tail,
    text_lines,
)
from perdure.companion.yaml.fast import read_undamaged, split_front_matter
from perdure.companion.yaml.quote import quoted
from perdure.companion.yaml.strict import Mapping, flattened

PROPOSALS_FOLDER = "memory/review"

ProposalKind = Literal["add", "replace", "remove", "summary"]
_KINDS: tuple[ProposalKind, ...] = get_args(ProposalKind)
_PROPOSAL = re.compile(r"- (add|replace|remove|summary)(?: ([^:]*))?:(?: (.*))?")
_FIELD = re.compile(r" {1,4}(instead of|note): ?(.*)")
_QUOTED = re.compile(r" {1,4}>(?: (.*))?")
_EMPTY = re.compile(r"\s*|#{1,6}(?:\s.*)?")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One change to her memory that a model suggests.

    Attributes:
        kind: what is to be done.
        topic: name of the file of facts; "" for a summary.
        text: the new fact, on one line; the summary, of any lines; "" for `remove`.
        instead_of: text of the fact that is replaced or removed; else "".
        source: the turn that taught it, or ``import:<sha>``, or "".
        note: why it was held, where a policy would have let it in.
        line: its first line in the file, from 1; 0 where it is in none.
    """

    kind: ProposalKind
    topic: str
    text: str
    instead_of: str = ""
    source: str = ""
    note: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    """The proposals after one conversation.

    Attributes:
        conversation: the conversation that was looked through.
        through: the last turn of it that was.
        proposals: what waits, in the order of the file.
        backend: which backend proposed it.
        model: which model.
        path: the file.
        troubles: lines that could not be read; they are no proposals.
    """

    conversation: ConversationId
    through: int
    proposals: tuple[Proposal, ...] = ()
    backend: str = ""
    model: str = ""
    path: str = ""
    troubles: tuple[FileTrouble, ...] = ()


def review_path(conversation: ConversationId) -> str:
    """The path of a conversation's proposals."""
    return f"{PROPOSALS_FOLDER}/{conversation}.md"


def render_review(review: Review) -> bytes:
    """Write the file. Raises ValueError for an empty proposal or a malformed source."""
    lines = ["---", f"conversation: {review.conversation}", f"through: {review.through}"]
    named = (("backend", review.backend), ("model", review.model))
    lines += [f"{key}: {quoted(escape_text(value))}" for key, value in named if value]
    lines += ["---", "", "# Proposals", ""]
    lines += [line for proposal in review.proposals for line in _lines_of(proposal)]
    return ("\n".join(lines).rstrip("\n") + "\n").encode()


def with_proposals(data: bytes, proposals: Sequence[Proposal]) -> bytes:
    """The file with proposals added at its end; the rest stays byte for byte."""
    end = b"" if data.endswith(b"\n") else b"\n"
    lines = [line for proposal in proposals for line in _lines_of(proposal)]
    return data + end + "".join(f"{line}\n" for line in lines).encode()


def _lines_of(proposal: Proposal) -> Iterator[str]:
    if proposal.source and not is_source(proposal.source):
        raise ValueError(f"no source: {proposal.source!r}")
    words = proposal.instead_of if proposal.kind == "remove" else proposal.text
    if not words.strip() or (proposal.kind == "replace" and not proposal.instead_of.strip()):
        raise ValueError(f"a proposal without words: {proposal}")
    head = f"- {proposal.kind}"
    if proposal.topic:
        head += f" {escape_line(proposal.topic).replace(':', '&#x3A;')}"
    first = "" if proposal.kind == "summary" else f" {escape_line(words)}"
    yield f"{head}:{first}{f' ({proposal.source})' if proposal.source else ''}"
    if proposal.kind == "summary":
        # A carriage return at a line's end would be taken for half of the line's own end.
        for line in escape_text(proposal.text).replace("\r", "&#xD;").split("\n"):
            yield f"  > {line}" if line else "  >"
    if proposal.kind == "replace":
        yield f"  instead of: {escape_line(proposal.instead_of)}"
    if proposal.note:
        yield f"  note: {escape_line(proposal.note)}"


def read_review(data: bytes, path: str) -> Review:
    """Read a review file. Lines that are no proposal are reported and skipped.

    Raises:
        BadFile: it is not UTF-8, too large, or does not say which conversation it is about.
    """
    lines = text_lines(data, path)
    node, start, troubles = _front(lines, path)
    front = {key: unescape(str(flattened(value))) for key, value in node.items.items()}
    found = list(_blocks(lines, start, path, troubles))
    proposals = tuple(proposal for proposal, _ in found)
    try:
        conversation, through = ConversationId(front["conversation"]), int(front["through"])
    except (KeyError, ValueError) as error:
        raise BadFile(path, 1, "it does not say which conversation it is about") from error
    return Review(
        conversation,
        through,
        proposals,
        front.get("backend", ""),
        front.get("model", ""),
        path,
        tuple(troubles),
    )


def without(data: bytes, path: str, lines: Collection[int]) -> bytes | None:
    """The file without the proposals that start at ``lines``; the rest stays byte for byte.

    Returns:
        The file; None where nothing but front matter and headings is left.
    """
    shown = text_lines(data, path)
    _, start, _ = _front(shown, path)
    gone: set[int] = set()
    for proposal, end in _blocks(shown, start, path, []):
        if proposal.line in lines:
            gone.update(range(proposal.line, end + 1))
    raw = data.split(b"\n")
    kept = [line for number, line in enumerate(raw, 1) if number not in gone]
    rest = [line for number, line in enumerate(shown, 1) if number not in gone and number > start]
    if all(_EMPTY.fullmatch(line) for line in rest):
        return None
    return b"\n".join(kept)


def _front(lines: list[str], path: str) -> tuple[Mapping, int, list[FileTrouble]]:
    """The front matter, the number of its last line, and any problem with it."""
    front, start = split_front_matter(lines)
    if not start:
        raise BadFile(path, 1, "it does not start with front matter between two '---' lines")
    node, wrong = read_undamaged(front)
    return node, start, [FileTrouble(path, trouble.line, trouble.what) for trouble in wrong]


def _blocks(
    lines: list[str], start: int, path: str, troubles: list[FileTrouble]
) -> Iterator[tuple[Proposal, int]]:
    """Each proposal and the number of its last line; ``troubles`` collects the rest."""
    number = start
    while number < len(lines):
        line = lines[number]
        number += 1
        head = _PROPOSAL.fullmatch(line)
        if head is None:
            if is_conflict_mark(line):
                what = "a merge conflict marker; both sides are read"
                troubles.append(FileTrouble(path, number, what))
            elif not _EMPTY.fullmatch(line):
                troubles.append(FileTrouble(path, number, "no proposal"))
            continue
        first = number
        fields: dict[str, str] = {}
        body: list[str] = []
        while number < len(lines):
            if field := _FIELD.fullmatch(lines[number]):
                fields[field[1]] = unescape(split_tail(field[2])[0])
            elif quote := _QUOTED.fullmatch(lines[number]):
                body.append(unescape(quote[1] or ""))
            else:
                break
            number += 1
        proposal = _proposal(head, fields, body)
        if isinstance(proposal, str):
            troubles.append(FileTrouble(path, first, proposal))
        else:
            yield replace(proposal, line=first), number


def _proposal(head: re.Match[str], fields: dict[str, str], body: list[str]) -> Proposal | str:
    """The proposal, or what is wrong with it."""
    kind = next(kind for kind in _KINDS if kind == head[1])
    escaped, tail = split_tail(head[3] or "")
    text, topic = unescape(escaped), unescape(head[2] or "")
    if tail.source and not is_source(tail.source):
        return f"not a valid source: {tail.source}"
    if kind == "summary":
        text = "\n".join(body)
    elif not topic.strip():
        return "a proposal without a topic"
    instead_of = text if kind == "remove" else fields.get("instead of", "")
    if not text.strip() or (kind == "replace" and not instead_of.strip()):
        return "a proposal without words"
    return Proposal(
        kind,
        topic if kind != "summary" else "",
        "" if kind == "remove" else text,
        instead_of if kind in {"replace", "remove"} else "",
        tail.source,
        fields.get("note", ""),
    )
