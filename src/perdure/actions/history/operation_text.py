"""What somebody did, in words for that person: “your message “the weir” and her reply”.

Without ids and hashes. Reads as “Undone: …” and as “takes back …”.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from perdure.git.errors import HistoryError
from perdure.git.operations import log
from perdure.snapshot.conversation.newest_turns import conversation_turns
from perdure.snapshot.revisions.program_commits import turn_of_commit

if TYPE_CHECKING:
    from perdure.git.objects.commit import CommitInfo
    from perdure.git.operations.log import Operation
    from perdure.git.repository.repository import Repository

_ID = re.compile(r"\b\d{4}-\d\d-\d\d-\d{4}-[0-9a-f]{8}/\d+ ?")
_HASH = re.compile(r" ?\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b")
_DANGLING = re.compile(r"( begins)? at$")
"""What stood before a hash that was taken out."""
_QUOTED = re.compile(r"“(.*)”")
_ANSWER = re.compile(r"answer (\d+) to (“.*”)")
_ASIDE = re.compile(r"(\d+) turns?( back)?, (“.*”)")
_FOLDERS = {
    "persona": "the change of the persona",
    "lore": "the change of the lore",
    "memory": "the change of what she knows",
    "backend": "the change of backends",
    "import": "the import",
    "revert": "the revert of",
    "companion": "the change",
}
_OPERATIONS = {
    "rewind": "going back {description}",
    "switch": "the switch {description}",
    "branch": "the new branch {name}",
    "drop": "the removal of {description}",
    "tag": "the tag {name}",
    "untag": "the removal of the tag {description}",
    "merge": "the merge {description}",
    "sync": "the sync {description}",
    "visit": "the visit {description}",
    "leave": "the end of the visit {description}",
}


def act_of(repo: Repository, entry: Operation) -> str:
    """What an operation or a plain commit did, in words."""
    if entry.is_commit:
        return commit_words(repo, repo.commit_info(entry.id))
    if entry.undoes:
        info = repo.commit_info(entry.undoes)
        if not any(key == "Head-After" for key, _ in info.trailers):
            return commit_words(repo, info)
        return operation_words(log.parse_entry(info))
    return operation_words(entry)


def row_words(repo: Repository, entry: Operation) -> str:
    """The same, short, for a row that already names the kind; without ids and hashes."""
    about = entry.id if entry.is_commit else entry.undoes
    with suppress(HistoryError):
        if about and any(key == "Answer" for key, _ in repo.commit_info(about).trailers):
            return f"another answer to “{entry.description.removeprefix('turn: ')}”"
    return _without_ids(entry.description)


def commit_words(repo: Repository, info: CommitInfo) -> str:
    """What a commit did, in words."""
    kind, colon, description = info.subject.partition(": ")
    if not colon:
        return f"the commit “{info.subject}”"
    if kind == "turn":
        return _turn_words(repo, info, description)
    if kind == "edit":
        found = _ANSWER.fullmatch(description)
        return (
            f"the choice of answer {found[1]} to {found[2]}"
            if found
            else f"the correction to “{description}”"
        )
    if kind == "aside":
        found = _ASIDE.fullmatch(description)
        if found is None:
            return f"the setting aside of {description}"
        what = found[3] if found[1] == "1" else f"{found[1]} turns from {found[3]} on"
        return f"the bringing back of {what}" if found[2] else f"the setting aside of {what}"
    quoted = description if "“" in description else f"“{description}”"
    return f"{_FOLDERS.get(kind, f'the change of {kind}')} {quoted}"


def _turn_words(repo: Repository, info: CommitInfo, description: str) -> str:
    said = dict(info.trailers)
    turn = turn_of_commit(info)
    if "Answer" in said:
        return f"the other answer to “{description}”"
    if turn is None or "Backend" not in said:
        return f"your message “{description}”"
    before = (
        info.parents[0] if info.parents and info.id not in repo.commits.shallow_ends() else None
    )
    there = conversation_turns(repo, before, turn.conversation) if before is not None else []
    if any(each.number == turn.number for each in there):
        return f"her reply to “{description}”"
    return f"your message “{description}” and her reply"


def operation_words(entry: Operation) -> str:
    """What an operation did, in words."""
    description = _without_ids(entry.description)
    name = description.partition(" begins at")[0].partition(" at")[0]
    quoted = _QUOTED.search(description)
    if entry.kind == "rewind" and quoted:
        return f"going back to “{quoted[1]}”"
    form = _OPERATIONS.get(entry.kind, f"{entry.kind}: {{description}}")
    return form.format(description=description, name=name)


def _without_ids(description: str) -> str:
    return _DANGLING.sub("", _HASH.sub("", _ID.sub("", description)).strip())
