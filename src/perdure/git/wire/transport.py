"""A transport to one remote repository: what it promises, and the values that pass through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from perdure.git.packs.outgoing import OutgoingPack


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a remote says that it has.

    Attributes:
        refs: full ref name -> hex id, of branches, tags and refs of perdure's own, without peeled
            rows. Names that git would not take are not among them.
        head: the ref that its HEAD names ("refs/heads/main"), which may not exist; None where that
            is not known.
        odd_names: how many refs were left out for their names.
    """

    refs: Mapping[str, str]
    head: str | None
    odd_names: int = 0


@dataclass(frozen=True, slots=True)
class PushOrder:
    """What a push is to do.

    Attributes:
        moves: ref -> new hex id; None takes it away. Each is done only if the ref still stands
            where it was advertised.
        pack: what the remote needs for that.
    """

    moves: Mapping[str, str | None]
    pack: OutgoingPack


@dataclass(frozen=True, slots=True)
class PushResult:
    """What came of a push.

    Attributes:
        advertised: the remote as it stood before. Nobody tells its HEAD at a push.
        refused: ref -> the remote's reason; empty: all were accepted.
    """

    advertised: Advertised
    refused: Mapping[str, str]


class Transport(Protocol):
    """One remote repository. Each call is one conversation with it, and raises RemoteProblem."""

    def advertised(self) -> Advertised:
        """What the remote has."""
        ...

    def fetch(
        self,
        wants: Callable[[Advertised], Sequence[str]],
        heads: Sequence[str],
        parents: Callable[[str], Sequence[str]],
        write: Callable[[bytes], None],
        progress: Callable[[str], None],
    ) -> Advertised:
        """Fetch a pack with all that is missing here.

        Args:
            wants: from what is advertised, the hex ids to fetch; none: the conversation ends.
            heads: ids of commits that are here with all that they reach. Read only after `wants`
                has been called.
            parents: a commit's parents, for the search for what both sides have.
            write: called with the pack as it comes. It may be *thin*: deltas whose base is here.
            progress: called with what the server says meanwhile, one short line of plain text.
        """
        ...

    def push(
        self, decide: Callable[[Advertised], PushOrder | None], progress: Callable[[str], None]
    ) -> PushResult:
        """Send a pack and move refs.

        Args:
            decide: from what is advertised, what to do; None: nothing.
            progress: called with what the server says meanwhile, one short line of plain text.
        """
        ...

    def close(self) -> None:
        """End what is still open."""
        ...


@runtime_checkable
class CopiedWhole(Transport, Protocol):
    """A remote whose objects can be copied as they are stored: nothing is searched for."""

    def fetch_all(
        self, wants: Callable[[Advertised], Sequence[str]], write: Callable[[bytes], None]
    ) -> Advertised | None:
        """Fetch a pack with every object that is there; some may be needed by nothing.

        Args:
            wants: as for `fetch`.
            write: as for `fetch`; the pack is never thin.

        Returns:
            None where that would not do; then `write` was called with nothing, or with a pack
            that is to be thrown away.

        Raises:
            OSError, DamagedRepository: what is there cannot be copied. `fetch` says what is wrong.
        """
        ...
