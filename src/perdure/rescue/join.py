"""Adds a remote to a companion: what is found out first, and what is agreed to.

Shown before anything is written: the key of an ssh server that is not known yet, whether anybody
can read the place, and whether it is empty, has this companion, or something else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from perdure.git.refs.refs import HEADS
from perdure.git.remotes.proof import drop_drills
from perdure.git.remotes.reconcile import travelling
from perdure.git.remotes.record import RemoteRecord, drop_record, write_record
from perdure.git.remotes.seen import forget_branches
from perdure.git.remotes.settings import (
    Remote,
    add_remote,
    check_new_name,
    remove_remote,
)
from perdure.git.wire.address import Address, UrlSecret, split_address
from perdure.git.wire.connect import connect

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.git.wire.host_key import HostKey
    from perdure.rescue.clone import Cloned

_ORIGIN = "origin"
"""Name of the remote that a clone comes from, as git calls it."""
There = Literal["nothing yet", "this companion", "commits that are not here"]


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """What is known of a place before it becomes a remote.

    Attributes:
        name: of the remote to come.
        address: where it is.
        makes: the folder in which an empty repository will be made; None: there is one.
        host_key: the key of its ssh server, if nobody has accepted it here yet.
        public: whether anybody can read it; None: that could not be found out.
        there: what it has; None: it could not be asked before its key is accepted.
        secret: a password or token of the address, which goes into the keyring.
    """

    name: str
    address: Address
    makes: Path | None = None
    host_key: HostKey | None = None
    public: bool | None = None
    there: There | None = None
    secret: UrlSecret | None = None

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        lines = [f"Adds the remote {self.name}: {self.address.text}"]
        if self.makes is not None:
            lines.append(f"Makes an empty git repository in {self.makes}.")
        if self.host_key is not None:
            lines.append(
                f"The server {self.address.host} is not known here. Its key: "
                f"{self.host_key.fingerprint}"
            )
        if self.secret is not None:
            lines.append("The password in the address goes to the keyring, not into any file.")
        if self.there is not None and self.makes is None:
            lines.append(f"It has {self.there}.")
        if self.public:
            lines.append("ANYBODY CAN READ IT: what is pushed there is public.")
        elif self.public is None and self.address.scheme != "file":
            lines.append("Whether strangers can read it could not be found out.")
        lines.append("Whoever can read it can read every conversation.")
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "name": self.name,
            "address": self.address.text,
            "makes": str(self.makes) if self.makes else None,
            "host_key": self.host_key.fingerprint if self.host_key else None,
            "public": self.public,
            "has": self.there,
        }


def plan_join(repo: Repository, name: str, text: str) -> JoinPlan:
    """Look at a place.

    Raises:
        BadAddress: the text is no address.
        RemoteProblem: it cannot be reached, or what is there is no git repository.
        HistoryError: there is a remote of that name, or it cannot be one's name.
    """
    check_new_name(repo, name)
    address, secret = split_address(text)
    if address.scheme == "file":
        path = Path(address.path)
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return JoinPlan(name, address, makes=path, public=False, there="nothing yet")
        return JoinPlan(name, address, public=False, there=_there(repo, name, address))
    from perdure.git.wire.public import is_public

    key = unknown_host_key(text)
    public = is_public(address)
    if key is not None or secret is not None:
        return JoinPlan(name, address, host_key=key, public=public, secret=secret)
    return JoinPlan(name, address, public=public, there=_there(repo, name, address))


def _there(repo: Repository, name: str, address: Address) -> There:
    transport = connect(address, name=name)
    try:
        refs = travelling(transport.advertised().refs)
    finally:
        transport.close()
    heads = {oid for ref, oid in refs.items() if ref.startswith(HEADS)}
    if not heads:
        return "nothing yet"
    # Whether they are of this companion, a sync will find out.
    has = repo.parts().store.has
    return "this companion" if any(has(oid) for oid in heads) else "commits that are not here"


def join(repo: Repository, plan: JoinPlan) -> Remote:
    """Add the remote as planned; what was shown is agreed to.

    Raises:
        RemoteProblem, HistoryError: nothing was added.
    """
    if plan.host_key is not None:
        accept_host_key(plan.host_key)
    if plan.makes is not None:
        from perdure.git.wire.folder import make_bare

        make_bare(plan.makes)
    if plan.secret is not None:
        from perdure.git.wire.credentials import store_token

        store_token(plan.address, plan.secret.user, plan.secret.secret, name=plan.name)
    remote = add_remote(repo, plan.name, plan.address.text)
    write_record(
        repo,
        remote.name,
        RemoteRecord(remote.url, is_public_agreed=bool(plan.public), added_at=time.time()),
    )
    return remote


def unknown_host_key(text: str) -> HostKey | None:
    """The key of an ssh server that nobody has accepted here yet; None for any other address.

    Raises:
        BadAddress: the text is no address.
        RemoteProblem: the server cannot be reached, or has another key than it had.
    """
    address = split_address(text)[0]
    if address.scheme != "ssh":
        return None
    from perdure.git.wire.host_key import host_key

    return host_key(address)


def accept_host_key(key: HostKey) -> None:
    """Remember a server's key as the user's own ssh does. Raises StorageFull, ReadOnly."""
    from perdure.git.wire.host_key import accept

    accept(key)


def leave(repo: Repository, name: str) -> None:
    """Take a remote out of the companion; what it has stays there.

    Raises:
        HistoryError: there is none of that name.
    """
    remove_remote(repo, name)
    forget_branches(repo, name)
    drop_record(repo, name)
    drop_drills(repo, name)


def clone_from(text: str, folder: Path, progress: Callable[[str], None]) -> Cloned:
    """Clone a companion from an address.

    Raises:
        BadAddress: the text is no address.
        RemoteProblem: it cannot be reached, or has no companion.
        HistoryError: the folder is taken, or cannot be written.
    """
    from perdure.rescue.clone import clone

    address, secret = split_address(text)
    if secret is not None:
        from perdure.git.wire.credentials import store_token

        store_token(address, secret.user, secret.secret, name=_ORIGIN)
    transport = connect(address, name=_ORIGIN)
    try:
        return clone(transport, folder, url=address.text, remote=_ORIGIN, progress=progress)
    finally:
        transport.close()
