"""Write a reading copy: every conversation as plain Markdown, readable without any program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from perdure.companion.names import slug
from perdure.companion.turns import Message, Reply, Turn
from perdure.git.operations.branches import branches
from perdure.git.paths import is_path, shown
from perdure.git.repository.repository import Repository
from perdure.snapshot.conversation.transcript import ConversationRef, Transcript

_FOLDERS = ("persona", "lore", "memory", "alternatives", "backends", "assets")
_TITLE = 40


def write_reading_copy(repo: Repository, folder: Path, name: str) -> int:
    """Write the copy into an empty folder.

    Args:
        repo: the repository.
        folder: where to; it is made.
        name: what the companion is called.

    Returns:
        How many conversations there are in it. Those that are on another branch only are there too.

    Raises:
        OSError: it cannot be written.
    """
    written: set[str] = set()
    index = [f"# Conversations with {name}", ""]
    for branch in sorted(branches(repo), key=lambda each: (not each.is_current, each.name)):
        transcript = Transcript(repo, branch.commit)
        for conversation in transcript.conversations():
            if conversation.id.text in written:
                continue
            written.add(conversation.id.text)
            title = transcript.title(conversation)
            path = _path(conversation, title)
            _write(folder / path, _conversation(transcript, conversation, title, branch.name))
            index.append(f"- [{conversation.id.minute} {_plain(title)}]({path})")
    left_out = _files(repo, folder / "files")
    _write(folder / "index.md", "\n".join([index[0], "", *sorted(index[2:]), *left_out, ""]))
    return len(written)


def _files(repo: Repository, folder: Path) -> list[str]:
    """Copy persona, lore and memory; returns lines about files whose names cannot be written."""
    lines = []
    for top in _FOLDERS:
        for entry in repo.files(top):
            if not is_path(entry.path):
                lines.append(f"\nOnly in the bundle, for its name: {_plain(shown(entry.path))}")
                continue
            target = folder / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(repo.blob(entry.oid))
    return lines


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", "surrogateescape")


def _path(conversation: ConversationRef, title: str) -> str:
    words = slug(title)[:_TITLE].strip("-") if title else "untitled"
    identity = conversation.id
    return f"{identity.day:%Y-%m}/{identity.minute}-{words}-{identity.hex}.md"


def _plain(title: str) -> str:
    return "".join(" " if c in "[]()\n" else c for c in title).strip()


def _conversation(
    transcript: Transcript, conversation: ConversationRef, title: str, branch: str
) -> str:
    first = conversation.first_chunk
    head = transcript.head(first)
    lines = [f"# {_plain(title) or conversation.id.minute}", "", f"{conversation.id}, on {branch}"]
    if head is not None and head.ends:
        lines.append(f"goes on from {' and '.join(map(str, head.ends))}")
    for place in conversation.places:
        for turn in transcript.turns(place):
            lines += _turn(turn)
        lines += [
            f"\n(line {trouble.line}: {trouble.what})" for trouble in transcript.troubles(place)
        ]
    return "\n".join([*lines, ""])


def _turn(turn: Turn) -> Iterator[str]:
    said: list[Message | Reply] = [turn.message] if turn.message is not None else []
    for each in [*said, *turn.replies]:
        when = f" · {each.at:%Y-%m-%d %H:%M}" if each.at is not None else ""
        yield f"\n**{each.speaker}**{when}\n\n{each.text}"
