"""Opening a companion: commit what a crash left, and say what is wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from perdure.actions.agreement import begin_agreement, companion_here
from perdure.actions.hand_edits import copy_notices, stray_branch_notices
from perdure.actions.history.visit import visit_notice
from perdure.actions.lease import ConversationLease
from perdure.actions.notice_marks import mark_first
from perdure.actions.turns.commit import TurnCommitter
from perdure.chat.turn.branch import current_branch
from perdure.chat.turn.position import Position
from perdure.chat.turn.recovery import recover_turns
from perdure.chat.turn.salvage import SalvageTarget, keep_foreign, salvage_target
from perdure.chat.turn.store import NO_BOUNDARIES, TurnStore
from perdure.companion.clock import now
from perdure.git.errors import HistoryError
from perdure.git.objects.commit import is_before_git
from perdure.git.repository.foreign_words import take_draft
from perdure.git.repository.missing import hole
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.files import check_counts

_HOLE = (
    "Part of this history cannot be read: {}. What you say now is saved anyway. `git fsck` names "
    "what is missing; fetch it from another copy of this companion"
)
_CLOCK = (
    "This machine's clock is set before 1970, which git cannot store: each commit gets the time "
    "of the one before. Set the clock"
)

_FROM_ELSEWHERE = (
    "This folder is a copy, was restored, or comes from somebody else: what perdure had kept in "
    "it for itself is not used here and is now in {}. You go on in a new conversation, and "
    "confirm backends again."
)
_NOT_KNOWN = (
    "{} cannot be written, so perdure cannot recognise this folder again: at each start, what it "
    "keeps here for itself is set aside, and you confirm backends again. Make that folder "
    "writable, or name another in XDG_DATA_HOME."
)


def open_store(path: Path) -> tuple[TurnStore, list[Notice]]:
    """Open, recover, and tell what was found. Raises HistoryError, RequestProblem."""
    repo = Repository.open(path)
    notices: list[Notice] = []
    if repo.recovery_trouble:
        notices.append(Notice(repo.recovery_trouble, "warning"))
    current = current_branch(repo)
    notices += current.notices
    companion = companion_here(repo, current.start or current.name)
    check_counts(repo, companion.commit)
    notices += _recovered(repo, salvage_target(current.name, current.start, companion))
    begin_agreement(repo)
    # What was recovered may have begun the branch.
    current = current_branch(repo)
    store = TurnStore(
        Position(
            repo, current.name, current.start, companion_here(repo, current.start or current.name)
        )
    )
    notices += store.look_again() or []
    notices += visit_notice(repo) + store.notices.arrived() + store.notices.unconfirmed()
    if not companion.persona.boundaries and mark_first(repo, "no-boundaries-said"):
        notices.append(Notice(NO_BOUNDARIES))
    notices += store.notices.left_out()
    folders = ("conversations", "alternatives", "backends.lock")
    notices += copy_notices(repo, [it for each in folders for it in repo.edits.copies(each)])
    notices += stray_branch_notices(repo)
    if trouble := hole(repo, store.position.tip):
        notices.append(Notice(_HOLE.format(trouble), "warning"))
    if is_before_git(now()):
        notices.append(Notice(_CLOCK, "warning"))
    return store, notices


def _recovered(repo: Repository, where: SalvageTarget) -> list[Notice]:
    """Commit what a crash left here, or had left where this folder comes from; tell of it."""
    # A folder that cannot be written can be read all the same.
    unknown = None
    with suppress(HistoryError):
        repo.state.own()
        unknown = repo.state.unknown_because_of
    texts = [_FROM_ELSEWHERE.format(path) for path in repo.state.tell_set_aside()]
    if unknown is not None:
        texts = [_NOT_KNOWN.format(unknown)]
    notices = [Notice(text, "warning") for text in texts]
    committer = TurnCommitter(repo, ConversationLease(repo))
    notices += recover_turns(repo, committer, where)
    committer.lease.release()
    if repo.state.is_own():
        notices += [Notice(text) for text in keep_foreign(repo, committer, where)]
        take_draft(repo)
    return notices
