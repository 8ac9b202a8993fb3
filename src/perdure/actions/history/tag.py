"""Tags: names that stay on one commit."""

from __future__ import annotations

from perdure.actions.workspace import Workspace, refuse_key
from perdure.companion.clock import now
from perdure.companion.secrets import mask_secrets
from perdure.git.operations import branches
from perdure.git.operations.annotated_tags import drop_tag, tag_note, tag_with_note
from perdure.git.operations.operation import Operation


def list_tags(workspace: Workspace) -> list[dict[str, str | None]]:
    """All tags by name: the commit, its time and subject, and the tag's own message."""
    found: list[dict[str, str | None]] = []
    for name, commit in workspace.repo.tags().items():
        info = workspace.repo.commit_info(commit)
        note = tag_note(workspace.repo, name)
        found.append(
            {
                "name": name,
                "commit": commit,
                "at": info.at.isoformat(),
                "subject": info.subject,
                "message": note.split("\n")[0] if note is not None else None,
            }
        )
    return found


def tag(workspace: Workspace, name: str, commit: str, message: str = "") -> Operation:
    """Tag a commit. What looks like a key is taken out of the message.

    Raises:
        BadPath: the tag exists, or git would not take the name.
        CannotAct: the name holds a key.
    """
    refuse_key(name)
    message = mask_secrets(message)[0]
    if message.strip():
        return tag_with_note(
            workspace.repo, name, commit, message, author=workspace.author, at=now()
        )
    return branches.tag(workspace.repo, name, commit, author=workspace.author, at=now())


def remove_tag(workspace: Workspace, name: str) -> Operation:
    """Remove a tag. Raises UnknownRevision."""
    return drop_tag(workspace.repo, name, author=workspace.author, at=now())
