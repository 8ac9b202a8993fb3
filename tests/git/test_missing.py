"""The quick look at each start."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.chat.session import Session
from perdure.git.repository.missing import hole
from perdure.git.repository.repository import Author, Change, Repository
from tests.speaking import Scripted

MIRA = Author("Mira", "mira@companion.invalid")


def lived(repo: Repository) -> list[Path]:
    """Packs, oldest first."""
    for number in range(6):
        change = Change(f"lore/{number}.md", b"x\n")
        repo.commit([change], message="l", author=MIRA, branch="main")
    names = (repo.state_dir / "packs").read_text().splitlines()
    folder = repo.git_dir / "objects" / "pack"
    return [folder / f"{name.partition(' ')[2]}.pack" for name in names]


@pytest.mark.parametrize("harm", ["gone", "cut", "both gone", "grown"])
def test_a_hole_below_the_tip_is_found(repo: Repository, harm: str) -> None:
    pack = lived(repo)[2]
    assert hole(repo, repo.resolve("HEAD")) == ""
    data = pack.read_bytes()
    pack.unlink()
    if harm == "both gone":
        pack.with_suffix(".idx").unlink()
    elif harm != "gone":
        pack.write_bytes(data[:-30] if harm == "cut" else data + b"more")
    with Repository.open(repo.path) as again:
        assert hole(again, again.resolve("HEAD"))


async def test_it_is_said_and_talk_goes_on(companion: Path) -> None:
    with Repository.open(companion) as repo:
        pack = lived(repo)[-3]
    pack.unlink()
    session = await Session.open(companion, backends=[Scripted()])
    assert [n for n in session.notices if n.text.startswith("Part of this history cannot be read")]
    await session.close()
