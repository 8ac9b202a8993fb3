"""What is looked at before a companion is pushed to a place for the first time.

Old commits hold what today's mask would catch, so the whole history is searched for keys and for
large files; and the place is asked, as a stranger would, whether anybody can read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.git.refs.refs import HEADS, TAGS
from perdure.git.remotes.reconcile import KEPT
from perdure.git.remotes.record import read_record
from perdure.git.remotes.settings import Remote
from perdure.git.repository.repository import Repository
from perdure.git.wire.address import parse_address
from perdure.git.wire.errors import RemoteProblem
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.companion.outgoing_check import HistoryFindings


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
            f"perdure push {remote} shows them, and asks",
        )
        self.findings = findings


def check_first_push(repo: Repository, remote: Remote, progress: Callable[[str], None]) -> None:
    """Look at history and place, unless something was pushed there already.

    Raises:
        HoldsFindings: something was found that nobody has agreed to.
        RemoteProblem: anybody can read the place, and nobody has agreed to that.
    """
    record = read_record(repo, remote.name, remote.url)
    if record.agreed:
        return
    address = parse_address(remote.url)
    if address.scheme != "file" and not record.is_public_agreed:
        from perdure.git.wire.public import is_public

        if is_public(address):
            raise RemoteProblem(
                f"anybody can read {remote.url}",
                "nothing was sent",
                f"make it private; or remove it and add it again: perdure remote add {remote.name} "
                "ADDRESS --public COMPANION",
            )
    from perdure.actions.companion.outgoing_check import search_history

    refs = repo.parts().refs
    tips = {**refs.names(HEADS), **refs.names(TAGS), **refs.names(KEPT)}

    def tell(done: int, total: int) -> None:
        count = f"{done:,} of {total:,}" if total else f"{done:,}"
        progress(f"looking for keys in the history, once: {count} commits")

    findings = search_history(repo, tips, progress=tell)
    if not findings.is_clean:
        raise HoldsFindings(remote.name, findings)
