"""Histories made by git, packs of them as a push sends them, and a place for what is fetched."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.wire.transport import Advertised, PushOrder, PushResult, Transport
from tests.conftest import git

Say = Callable[[str], None]


def history(path: Path, commits: int = 3, *, size: int = 200) -> Path:
    """A repository with commits on ``main``, each with a longer file, which hardly compresses."""
    subprocess.run(["git", "init", "-q", "--initial-branch=main", path], check=True)
    more(path, commits, size=size)
    return path


def more(path: Path, commits: int, *, size: int = 200) -> None:
    """Commits upon what is there."""
    text = path / "chat.md"
    for _ in range(commits):
        old = text.read_text() if text.exists() else ""
        words = random.Random(len(old)).randbytes(size // 2).hex()
        text.write_text(f"{old}line {len(old)}: {words}\n")
        git(path, "add", "-A")
        git(path, "commit", "-q", "-m", f"turn {len(old)}")


def tip(path: Path, ref: str = "refs/heads/main") -> str:
    """The id that a ref names."""
    return git(path, "rev-parse", ref).strip()


def refs(path: Path) -> dict[str, str]:
    """All refs of a repository, as git lists them."""
    rows = git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(row.split(" ") for row in rows)


def outgoing(path: Path, new: Sequence[str], known: Sequence[str] = ()) -> OutgoingPack:
    """What git would send, entry by entry: thin, with both kinds of deltas."""
    words = ["pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q"]
    wanted = "".join([*(f"{oid}\n" for oid in new), *(f"^{oid}\n" for oid in known)])
    data = subprocess.run(
        ["git", "-C", path, *words], input=wanted.encode(), capture_output=True, check=True
    ).stdout
    count = int.from_bytes(data[8:12], "big")
    place = path / ".git" / "outgoing.pack"
    place.unlink(missing_ok=True)
    subprocess.run(
        ["git", "-C", path, "index-pack", "--stdin", "--fix-thin", place],
        input=data,
        capture_output=True,
        check=True,
    )
    rows = [row.split() for row in git(path, "verify-pack", "-v", str(place)).splitlines()]
    found = sorted((int(row[4]), row[0]) for row in rows if len(row[0]) == 40)[:count]
    ends = [*(offset for offset, _ in found[1:]), len(data) - 20][:count]
    entries = [
        (bytes.fromhex(oid), data[offset:end])
        for (offset, oid), end in zip(found, ends, strict=True)
    ]
    for each in place.parent.glob("outgoing.*"):
        each.unlink()
    return OutgoingPack(count, iter(entries))


def push(
    transport: Transport,
    path: Path,
    moves: Mapping[str, str | None],
    known: Sequence[str] = (),
    say: Say = lambda _: None,
) -> PushResult:
    """Push what the refs are moved to."""
    new = [oid for oid in moves.values() if oid is not None]

    def decide(_: Advertised) -> PushOrder:
        pack = outgoing(path, new, known) if new else OutgoingPack(0, iter(()))
        return PushOrder(moves, pack)

    return transport.push(decide, say)


def fetch(transport: Transport, path: Path, say: Say = lambda _: None) -> Advertised:
    """Fetch all that the remote has into a repository of git's, as ``refs/got/*``."""
    pack = path / "fetched.pack"

    def parents(oid: str) -> Sequence[str]:
        return git(path, "rev-list", "--parents", "-1", oid).split()[1:]

    with pack.open("wb") as got:

        def write(data: bytes) -> None:
            got.write(data)

        there = transport.fetch(
            lambda seen: sorted(set(seen.refs.values())),
            list(refs(path).values()),
            parents,
            write,
            say,
        )
    if pack.stat().st_size:
        with pack.open("rb") as file:
            subprocess.run(
                ["git", "-C", path, "index-pack", "--stdin", "--fix-thin"],
                stdin=file,
                capture_output=True,
                check=True,
            )
    for ref, oid in there.refs.items():
        git(path, "update-ref", f"refs/got/{ref.removeprefix('refs/')}", oid)
    return there


def fetched_bytes(path: Path) -> int:
    """The size of what `fetch` brought last."""
    return (path / "fetched.pack").stat().st_size


def objects(path: Path) -> Iterator[str]:
    """Ids of all objects that refs reach."""
    yield from (
        row.split(" ")[0] for row in git(path, "rev-list", "--objects", "--all").split("\n")
    )
