"""Fetches what a remote has and this repository lacks.

What arrives is hashed, connected and looked at before a ref leads to it (`packs.incoming`); until
then, and when it is cut off, nothing of it is visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.git.errors import DamagedRepository
from perdure.git.objects.fsck import Trouble
from perdure.git.packs.incoming import IncomingPack, check_incoming
from perdure.git.paths import shown
from perdure.git.remotes.reconcile import travelling
from perdure.git.remotes.seen import refuse_odd_branches
from perdure.git.wire.errors import OddContent
from perdure.git.wire.transport import CopiedWhole

if TYPE_CHECKING:
    from perdure.git.objects.store import ObjectStore
    from perdure.git.repository.repository import Repository
    from perdure.git.wire.transport import Advertised, Transport


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought. ``refs``: the remote's branches, tags and kept lines, all here."""

    refs: dict[str, str]
    head: str | None
    objects: int = 0


@contextmanager
def fetched(
    repo: Repository, transport: Transport, progress: Callable[[str], None]
) -> Iterator[Fetched]:
    """Fetch; within the ``with`` statement git leaves alone what came, until refs lead to it.

    Raises:
        OddContent: it sends what cannot be taken.
        RemoteProblem: the remote cannot be reached.
        DamagedRepository: what came is broken or incomplete; nothing of it stays.
        StorageFull, ReadOnly, WriteFailed: nothing of it stays.
    """
    parts = repo.parts()
    store = parts.store
    wanted: list[str] = []

    def wants(advertised: Advertised) -> Sequence[str]:
        there = dict.fromkeys(travelling(advertised.refs).values())
        here = store.stored(there)
        wanted[:] = [oid for oid in there if oid not in here]
        return wanted

    tips = _tips(repo)
    with ExitStack() as stack:
        incoming = stack.enter_context(IncomingPack(repo.git_dir))
        advertised = None
        if not tips and isinstance(transport, CopiedWhole):
            advertised = _copied(store, transport, wants, incoming)
        if advertised is None:
            incoming.abandon()
            incoming = stack.enter_context(IncomingPack(repo.git_dir))
            advertised = transport.fetch(
                wants, tips, repo.commits.parents, incoming.write, progress
            )
            if wanted:
                incoming.index(store)
                refuse_odd(check_incoming(incoming, store, wanted))
        refs = travelling(advertised.refs)
        if not wanted:
            refuse_odd_branches(store, refs)
            yield Fetched(refs, advertised.head)
            return
        with parts.writer.exclusive("storing what came"):
            keep = incoming.put_in_place(parts.writer.packs)
        store.rescan()
        with keep or nullcontext():
            refuse_odd_branches(store, refs)
            yield Fetched(refs, advertised.head, incoming.count)


def _copied(
    store: ObjectStore,
    transport: CopiedWhole,
    wants: Callable[[Advertised], Sequence[str]],
    incoming: IncomingPack,
) -> Advertised | None:
    """Copy all objects of a remote; None unless all is well, and its refs need every one of them.

    What was forgotten there may still be stored, and must not come along; and what is broken, only
    a search can tell whether anything needs it.
    """
    try:
        advertised = transport.fetch_all(wants, incoming.write)
        if advertised is None:
            return None
        incoming.index(store)
        wanted = wants(advertised)
        is_fit = not incoming.has_strays(wanted) and not _odd(
            check_incoming(incoming, store, wanted)
        )
    except (DamagedRepository, OSError):
        return None
    return advertised if is_fit else None


def refuse_odd(troubles: Sequence[Trouble]) -> None:
    """Raise OddContent where what came is not what a companion may hold."""
    odd = _odd(troubles)
    if odd:
        where = f" ({shown(odd[0].path)})" if odd[0].path else ""
        raise OddContent(
            f"the remote sent what may not be in a companion: {odd[0].says}{where}",
            "nothing of it was taken, and all that is here stays as it is",
            "look at it with git, in a clone that you throw away",
        )


def _odd(troubles: Sequence[Trouble]) -> list[Trouble]:
    # Links and submodules may be in a history; they are never written out.
    return [each for each in troubles if each.kind not in {"link", "submodule"}]


def _tips(repo: Repository) -> list[str]:
    """The commits that are offered to the remote as known, the newest first."""
    parts = repo.parts()
    found: dict[str, float] = {}
    for ref, oid in parts.refs.names("refs/").items():
        if not ref.startswith("refs/perdure/ops") and parts.store.size(oid)[0] == b"commit":
            found[oid] = repo.commit_info(oid).committed_at.timestamp()
    return sorted(found, key=lambda oid: -found[oid])
