"""``memory/summaries/YYYY-MM/<conversation>.md``: a conversation's summary, up to some turn.

The front matter says which turns it was made from and by which model, or that it was put together
from the conversation's own sentences. It also holds a digest of the text as the program wrote it:
where the text has another one, a hand has changed it, and no program may write over that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perdure.companion.errors import FileTrouble
from perdure.companion.ids import ConversationId
from perdure.companion.memory.aside import TurnRange
from perdure.companion.yaml.fast import read_undamaged, split_front_matter
from perdure.companion.yaml.quote import quoted, scalar
from perdure.companion.yaml.strict import flattened

if TYPE_CHECKING:
    from perdure.companion.conversation.merge import Versions

SUMMARIES_FOLDER = "memory/summaries"
SUMMARY_LIMIT = 256 * 1024
"""Bytes; what is larger is no summary."""

_KEYS = ("conversation", "through", "sources", "backend", "model", "extractive", "digest")
_NAME = re.compile(r"(\d{4}-\d\d-\d\d-\d{4}-[0-9a-f]{8})\.md")
_MARK = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_THROUGH = re.compile(r"0|[1-9]\d{0,8}")
_UNPRINTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

SummaryValue = str | list[str]


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary of one conversation.

    ``backend`` and ``model`` are empty where no model wrote it: by the program from the
    conversation's own sentences, or by hand.
    """

    conversation: ConversationId
    through: int
    """The last turn that it covers."""
    text: str
    backend: str = ""
    model: str = ""
    path: str = ""
    sources: tuple[TurnRange, ...] = ()
    """The turns that it was made from; what was set aside is not among them."""
    digest: str = ""
    """Of the text as the program wrote it; empty where it never did."""

    @property
    def by_hand(self) -> bool:
        """Whether someone changed the text after the program wrote it."""
        return self.digest != digest_of(self.text)

    @property
    def extractive(self) -> bool:
        """Whether it consists of sentences picked from the conversation, without a model."""
        return not self.backend and not self.by_hand


def digest_of(text: str) -> str:
    """The first 16 hex digits of a text's SHA-256, as it is in the file."""
    return hashlib.sha256(printable(text).encode()).hexdigest()[:16]


def printable(text: str) -> str:
    """A text as a summary can hold it: no control characters, LF line ends, trimmed."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    whole = "\n".join(_UNPRINTED.sub("\ufffd", line).rstrip() for line in lines).strip()
    # What reads as a mark of a merge conflict is text here, and so does not begin its line.
    return "\n".join(f" {line}" if _MARK.match(line) else line for line in whole.split("\n"))


def as_written(summary: Summary) -> Summary:
    """The summary marked as the program's own words, so that edits by hand show."""
    text = printable(summary.text)
    return replace(summary, text=text, digest=digest_of(text))


def summary_path(conversation: ConversationId) -> str:
    """The path of a conversation's summary."""
    return f"{SUMMARIES_FOLDER}/{conversation.text[:7]}/{conversation}.md"


def conversation_of(path: str) -> ConversationId | None:
    """The conversation that a summary's path names; None for any other path."""
    named = _NAME.fullmatch(path.rsplit("/", 1)[-1])
    return ConversationId(named[1]) if named and path.startswith(f"{SUMMARIES_FOLDER}/") else None


def render_summary(summary: Summary) -> bytes:
    """Write the file. Raises ValueError for a negative turn number."""
    if summary.through < 0:
        raise ValueError(f"not a turn's number: {summary.through}")
    lines = ["---", f"conversation: {summary.conversation}", f"through: {summary.through}"]
    if summary.sources:
        lines.append(f"sources: [{', '.join(quoted(str(one)) for one in summary.sources)}]")
    lines += [
        f"{key}: {scalar(_UNPRINTED.sub(chr(0xFFFD), value))}"
        for key, value in (("backend", summary.backend), ("model", summary.model))
        if value
    ]
    if summary.extractive:
        lines.append("extractive: yes")
    if summary.digest:
        lines.append(f"digest: {quoted(summary.digest)}")
    text = printable(summary.text)
    return ("\n".join([*lines, "---", ""]) + (f"\n{text}\n" if text else "")).encode()


def read_summaries(
    files: Mapping[str, bytes],
) -> tuple[tuple[Summary, ...], tuple[FileTrouble, ...]]:
    """Read several summaries, in order of path; broken ones are reported and left out."""
    found: list[Summary] = []
    troubles: list[FileTrouble] = []
    for path in sorted(files):
        summary, wrong = parse_summary(files[path], path)
        troubles += wrong
        if summary is not None:
            found.append(summary)
    return tuple(found), tuple(troubles)


def parse_summary(data: bytes, path: str) -> tuple[Summary | None, tuple[FileTrouble, ...]]:
    """Read as much of one file as possible, and say what is wrong with it.

    None: it names no conversation, is no summary by its size, or holds the marks of a merge
    conflict, where nobody knows which of the lines are meant.
    """
    if len(data) > SUMMARY_LIMIT:
        return None, (FileTrouble(path, 0, f"larger than {SUMMARY_LIMIT // 1024} KiB"),)
    troubles: list[FileTrouble] = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        troubles.append(FileTrouble(path, data.count(b"\n", 0, error.start) + 1, "not UTF-8"))
        text = data.decode("utf-8-sig", "replace")
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if _MARK.match(line):
            return None, (*troubles, FileTrouble(path, number, "a merge conflict marker"))
    values, end, wrong = _front(lines, path)
    troubles += wrong
    summary, wrong = _summary(values, printable("\n".join(lines[end:])), path)
    return summary, (*troubles, *wrong)


def _front(
    lines: list[str], path: str
) -> tuple[dict[str, tuple[int, SummaryValue]], int, list[FileTrouble]]:
    """Values by key with their line numbers, where the text starts, and what is wrong."""
    _, start = split_front_matter([line.rstrip() for line in lines])
    if not start:
        return {}, 0, [FileTrouble(path, 1, "no front matter between two '---' lines")]
    node, wrong = read_undamaged(lines[1 : start - 1])
    read = {key: (node.lines[key], flattened(value)) for key, value in node.items.items()}
    troubles = [FileTrouble(path, trouble.line, trouble.what) for trouble in wrong]
    return {key: read[key] for key in _KEYS if key in read}, start, troubles


def _summary(
    values: dict[str, tuple[int, SummaryValue]], text: str, path: str
) -> tuple[Summary | None, list[FileTrouble]]:
    troubles: list[FileTrouble] = []

    def take(key: str) -> tuple[int, str]:
        line, value = values.get(key, (0, ""))
        return line, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    conversation = conversation_of(path)
    line, named = take("conversation")
    try:
        conversation = ConversationId(named) if named else conversation
    except ValueError:
        troubles.append(FileTrouble(path, line, f"not a valid conversation: {named}"))
    if conversation is None:
        return None, [
            *troubles,
            FileTrouble(path, line, "it does not say which conversation it is about"),
        ]
    line, number = take("through")
    if not _THROUGH.fullmatch(number):
        what = f"not a valid turn: {number}" if number else "front matter without 'through'"
        troubles.append(FileTrouble(path, line, what))
        number = "0"
    sources = _sources(*values.get("sources", (0, [])), path, troubles)
    summary = Summary(
        conversation,
        int(number),
        text,
        backend=take("backend")[1],
        model=take("model")[1],
        path=path,
        sources=sources,
        digest=take("digest")[1],
    )
    return summary, troubles


def _sources(
    line: int, listed: SummaryValue, path: str, troubles: list[FileTrouble]
) -> tuple[TurnRange, ...]:
    found: list[TurnRange] = []
    for item in [listed] if isinstance(listed, str) else listed:
        try:
            found.append(TurnRange.parse(item))
        except ValueError as error:
            troubles.append(FileTrouble(path, line, str(error)))
    return tuple(found)


def is_made_from(summary: Summary, turns: Iterable[TurnRange]) -> bool:
    """Whether a summary was made from any of these turns."""
    return any(
        one.conversation == other.conversation
        and one.first <= other.last
        and other.first <= one.last
        for other in turns
        for one in summary.sources
    )


def is_summary(path: str) -> bool:
    """Whether `merge_summaries` handles this path."""
    return conversation_of(path) is not None


def merge_summaries(files: Iterable[Versions]) -> dict[str, bytes | None]:
    """Merge two versions of summaries: never a conflict, the same result on both sides.

    What only one side changed or took away is taken from that side. Else a text that a hand has
    changed goes before one of the program's, then the one that covers more turns, then a model's
    before one without. Of two that hands have changed, both texts stay, one after the other.
    """
    result: dict[str, bytes | None] = {}
    for file in files:
        if file.ours == file.base or file.theirs is None or file.ours == file.theirs:
            result[file.path] = file.theirs if file.ours == file.base else file.ours
        elif file.theirs == file.base or file.ours is None:
            result[file.path] = file.ours if file.theirs == file.base else file.theirs
        else:
            result[file.path] = _joined(file.ours, file.theirs, file.path)
    return result


def _joined(ours: bytes, theirs: bytes, path: str) -> bytes:
    read = sorted(
        ((parse_summary(data, path)[0], data) for data in (ours, theirs)),
        key=lambda pair: (_rank(pair[0]), pair[1]),
    )
    (less, _), (more, data) = read
    if less is None or more is None or not (less.by_hand and more.by_hand):
        return data
    lines = more.text.split("\n")
    rest = "\n".join(line for line in less.text.split("\n") if line not in lines)
    return render_summary(replace(more, text=f"{more.text}\n\n{rest}", digest=""))


def _rank(summary: Summary | None) -> tuple[bool, bool, int, bool]:
    if summary is None:
        return (False, False, -1, False)
    return (True, summary.by_hand, summary.through, not summary.extractive)
