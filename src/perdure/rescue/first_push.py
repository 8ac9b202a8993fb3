"""What is looked at before this device pushes a companion to a place for the first time.

Old commits hold what today's mask would catch, so the whole history is searched for keys and for
large files, but for what the place has already; and the place is asked, as a stranger would,
whether anybody can read it. A clone of a public place is asked about too: what is said from then on
is not public yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from perdure.git.refs.refs import HEADS, TAGS
from perdure.git.remotes.kept import keep_lines
from perdure.git.remotes.reconcile import KEPT
from perdure.git.remotes.record import read_record, write_record
from perdure.git.remotes.settings import Remote
from perdure.git.repository.repository import Repository
from perdure.git.wire.address import parse_address
from perdure.git.wire.errors import RemoteProblem
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.companion.outgoing_check import HistoryFindings


class PublicPlace(RemoteProblem):
    """Anybody can read the place, and nobody has agreed to that."""

    def __init__(self, remote: Remote) -> None:
        super().__init__(
            f"anybody can read {remote.url}",
            "nothing was sent",
            f"make it private; or remove it and add it again: perdure remote add {remote.name} "
            "ADDRESS --public COMPANION",
        )


class HoldsFindings(RemoteProblem):
    """The history holds what looks like keys, or very large files.

    Attributes:
        findings: what was found.
    """

    def __init__(self, remote: str, findings: HistoryFindings) -> None:
        count = len(findings.keys) + len(findings.files) + findings.more
        super().__init__(
            f"the history holds {plural(count, 'thing')} that should not leave this machine "
            "unasked, such as keys",
            f"nothing was sent to {remote}",
            f"perdure push {remote} shows them, and asks; with --yes, all of it goes there",
        )
        self.findings = findings


def check_first_push(repo: Repository, remote: Remote, progress: Callable[[str], None]) -> None:
    """Look at history and place, unless that was done before a push that worked.

    Raises:
        HoldsFindings: something was found that nobody has agreed to.
        PublicPlace: anybody can read it, and nobody has agreed to that.
    """
    record = read_record(repo, remote.name, remote.url)
    if record.is_checked:
        return
    address = parse_address(remote.url)
    if address.scheme != "file" and not record.is_public_agreed:
        from perdure.git.wire.public import is_public

        if is_public(address):
            raise PublicPlace(remote)
    from perdure.actions.companion.outgoing_check import search_history

    # Lines that no branch leads to go along, so they are refs before it is looked at what goes.
    keep_lines(repo)
    refs = repo.parts().refs
    tips = {**refs.names(HEADS), **refs.names(TAGS), **refs.names(KEPT)}

    def tell(done: int, total: int) -> None:
        count = f"{done:,} of {total:,}" if total else f"{done:,}"
        progress(f"looking for keys in the history, once: {count} commits")

    there = set(record.agreed.values())
    findings = search_history(repo, tips, place=remote.url, there=there, progress=tell)
    if not findings.is_clean:
        raise HoldsFindings(remote.name, findings)
    write_record(repo, remote.name, msgspec.structs.replace(record, checked_at=time.time()))
