"""A companion's memory as of one commit: lore, facts and summaries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from perdure.companion.errors import FileTrouble
from perdure.companion.ids import ConversationId
from perdure.git.repository.repository import Repository
from perdure.snapshot.files import files_below, read_small

if TYPE_CHECKING:
    from perdure.companion.memory.facts import Fact
    from perdure.companion.memory.lore import LoreEntry
    from perdure.companion.memory.summaries import Summary
    from perdure.snapshot.excluded import Excluded

K = TypeVar("K")
V = TypeVar("V")
LATEST = 4
"""Conversations beside the thread's own whose summaries may stand in a prompt."""


@dataclass(frozen=True, slots=True)
class MemoryAt:
    """The memory in the tree of a commit.

    Attributes:
        lore: every entry, by path.
        facts: what may stand in a prompt, best first.
        summaries: of the wanted conversations, newest first; without those that were made from
            turns which are set aside by now.
        troubles: what could not be read, with file and line; the rest is there all the same.
    """

    lore: tuple[LoreEntry, ...] = ()
    facts: tuple[Fact, ...] = ()
    summaries: tuple[Summary, ...] = ()
    troubles: tuple[FileTrouble, ...] = ()


def read_memory(
    repo: Repository,
    rev: str,
    excluded: Excluded,
    thread: Collection[ConversationId] = (),
    *,
    latest: int = LATEST,
) -> MemoryAt:
    """Read ``lore/``, ``memory/facts/`` and ``memory/summaries/``.

    Args:
        repo: the repository.
        rev: the commit.
        excluded: what is kept out of prompts.
        thread: conversations whose summaries are wanted, as far as there are any.
        latest: how many more, the newest.

    Raises:
        HistoryError: the tree cannot be read. A file that makes no sense raises nothing.
        BadFile: a folder has too many files.
    """
    troubles: list[FileTrouble] = []
    lore, wrong = _lore(repo, rev)
    troubles += wrong
    facts, wrong = _facts(repo, rev, excluded.facts)
    troubles += wrong
    summaries: tuple[Summary, ...] = ()
    found = _summaries(repo, rev, thread, latest)
    if found:
        from perdure.companion.memory.summaries import is_made_from, read_summaries

        written, wrong = read_summaries(found)
        out = [turns for _, aside in excluded.files for turns in aside.turns]
        # What is set aside would stay in prompts by the summary that was made from it.
        kept = [each for each in written if not is_made_from(each, out)]
        summaries = tuple(sorted(kept, key=lambda each: each.conversation, reverse=True))
        troubles += wrong
    return MemoryAt(lore, facts, summaries, tuple(troubles))


_KEPT = 4
"""Folders' contents that are kept, by their ids: most turns find them as the turn before did."""
_LORE: OrderedDict[str, tuple[tuple[LoreEntry, ...], tuple[FileTrouble, ...]]] = OrderedDict()
_FACTS: OrderedDict[object, tuple[tuple[Fact, ...], tuple[FileTrouble, ...]]] = OrderedDict()


def _lore(repo: Repository, rev: str) -> tuple[tuple[LoreEntry, ...], tuple[FileTrouble, ...]]:
    folder = repo.folder_oid("lore", rev)
    if folder is None:
        return (), ()
    if (known := _LORE.get(folder)) is None:
        from perdure.companion.memory.lore import read_lore

        known = read_lore(_files(repo, rev, "lore"))
        _keep(_LORE, folder, known)
    return known


def _facts(
    repo: Repository, rev: str, aside: tuple[str, ...]
) -> tuple[tuple[Fact, ...], tuple[FileTrouble, ...]]:
    """The facts that a prompt may have, best first."""
    folder = repo.folder_oid("memory/facts", rev)
    if folder is None:
        return (), ()
    key = (folder, aside)
    if (known := _FACTS.get(key)) is None:
        from perdure.companion.memory.facts import read_facts
        from perdure.memory.ranking import in_order

        read, wrong = read_facts(_files(repo, rev, "memory/facts"))
        known = (in_order(read, aside), wrong)
        _keep(_FACTS, key, known)
    return known


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    while len(kept) > _KEPT:
        with suppress(KeyError):  # another thread was quicker
            kept.popitem(last=False)


def _files(repo: Repository, rev: str, folder: str) -> dict[str, bytes]:
    return files_below(repo, folder, rev, wanted=lambda path: path.endswith(".md"))


def _summaries(
    repo: Repository, rev: str, thread: Collection[ConversationId], latest: int
) -> dict[str, bytes]:
    """The summaries of the wanted conversations and of the newest ones."""
    if repo.folder_oid("memory/summaries", rev) is None:
        return {}
    entries = {each.path.rsplit("/", 1)[-1]: each for each in repo.files("memory/summaries", rev)}
    own = {f"{each}.md" for each in thread}
    newest = sorted(entries, reverse=True)[:latest] if latest else []
    names = [name for name in entries if name in own or name in newest]
    return {entries[name].path: read_small(repo, entries[name].oid) for name in names}
