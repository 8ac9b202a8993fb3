"""Find which lore comes in: look for the keys of entries in the newest messages.

No chance but one drawn from what is recorded, and the same work on every machine. A clock only for
expressions where RE2 is not installed: what it stops is reported and recorded. A key is looked for
as words, in scripts that put spaces between them; Chinese, Japanese, Korean, Thai and their like
are searched for the characters wherever they stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from time import thread_time
from unicodedata import category, normalize

from perdure.companion.errors import FileTrouble
from perdure.companion.memory.lore import LORE_FOLDER, LoreEntry
from perdure.companion.memory.lore_patterns import (
    SearchTimeout,
    compile_pattern,
    is_written_as_pattern,
)
from perdure.companion.persona.persona import fill

SCAN_LIMIT = 32_768
"""Characters of one message, or of one entry's text, that are searched; the rest is not."""
WORDS_WORK = 3_000_000
"""Looks for plain keys in one search, a long text counting for several: some seconds at worst.

Ten thousand keys in an ordinary conversation take a tenth of it."""
_LOOK_SHIFT = 10
"""A look at a longer text counts for one more each 1024 characters."""
PATTERNS_WORK = 250_000_000
"""Steps of expressions times characters that they are looked for in: some seconds at worst.

Linear time is no short time: 300 expressions of 2000 steps each would take minutes in long texts.
Bounded by a count, so that a prompt is the same on every machine; three hundred ordinary ones take
all of it in 25,000 characters."""
PATTERN_SECONDS = 0.5
"""Of the processor, most for one search where RE2 is not installed: ordinary ones take a
thousandth. A busy machine takes longer for the same, and nothing is left out for that."""
PATTERNS_SECONDS = 3.0
"""Most for all of them together."""
_READY_WORK = 16
"""Making an expression ready is as much work as searching so many characters."""


class _TooMuchWork(Exception):
    """The search for plain keys went over its limit."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """An entry that comes into the prompt.

    Attributes:
        entry: the entry.
        key: the key that was found; "" for a constant one.
        by: path of the entry whose text has the key; "": it was said.
    """

    entry: LoreEntry
    key: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class LoreScan:
    """The entries that a conversation brings in.

    Attributes:
        triggered: what comes in, in the order of the prompt.
        unlucky: what would have come in, had its probability let it.
        troubles: searches that took too much work and were given up, on any machine alike.
        timed_out: paths of entries that are left out since searching for a key took too long. It
            depends on the machine, so it is part of what is recorded of a prompt.
    """

    triggered: tuple[Triggered, ...]
    unlucky: tuple[Triggered, ...] = ()
    troubles: tuple[FileTrouble, ...] = ()
    timed_out: tuple[str, ...] = ()


def timed_out_text(path: str) -> FileTrouble:
    """What users read of an entry left out because the search for its keys took too long."""
    return FileTrouble(path, 0, "searching for its keys takes too long; it was given up")


def scan(
    entries: Sequence[LoreEntry],
    talk: Sequence[str],
    *,
    depth: int,
    char: str = "",
    user: str = "",
    draw: str | None = None,
    without: Collection[str] = (),
) -> LoreScan:
    """Look for the keys of all entries in the newest messages.

    The texts of entries that came in are searched too, until nothing new comes in; each comes in
    once, so entries that trigger one another end.

    Args:
        entries: the entries; disabled ones never come in.
        talk: texts of messages, newest last.
        depth: how many of them are searched, where an entry has no depth of its own.
        char: for ``{{char}}`` in keys and entries' texts.
        user: for ``{{user}}`` there.
        draw: what the probability of each entry is drawn from, together with its path: the turn's
            id. None: probabilities do not count.
        without: paths of entries that timed out when the prompt was made: they do not come in.
    """
    there = [entry for entry in entries if entry.path not in without]
    return _Scan(list(talk), depth, char, user, draw, PATTERNS_WORK, PATTERNS_SECONDS).run(there)


def fit_lore(
    found: Sequence[Triggered], tokens: Callable[[LoreEntry], int], budget: int
) -> tuple[tuple[Triggered, ...], tuple[Triggered, ...]]:
    """Split entries into those that fit into ``budget`` tokens and those that are left out.

    Left out first is the lowest priority; among equals what stands later. Constant entries go last.
    """
    sizes = [tokens(each.entry) for each in found]
    total = sum(sizes)
    out: set[int] = set()
    worst_first = sorted(
        range(len(found)),
        key=lambda at: (found[at].entry.constant, found[at].entry.priority, -at),
    )
    for at in worst_first:
        if total <= budget:
            break
        out.add(at)
        total -= sizes[at]
    kept = tuple(each for at, each in enumerate(found) if at not in out)
    return kept, tuple(each for at, each in enumerate(found) if at in out)


def is_drawn(draw: str, entry: LoreEntry) -> bool:
    """Whether an entry's probability lets it in: the same draw decides alike everywhere."""
    if entry.probability >= 100:
        return True
    seed = f"{draw}\n{entry.path}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(seed).digest()[:8]) % 100 < entry.probability


@dataclass(frozen=True, slots=True)
class _Source:
    """A text that is searched; ``age`` counts messages from the newest, 0 for an entry's text."""

    text: str
    by: str = ""
    age: int = 0


@dataclass(slots=True)
class _Scan:
    """One search over messages and entries."""

    talk: list[str]
    depth: int
    char: str
    user: str
    draw: str | None
    steps: int
    seconds: float
    sources: list[_Source] = field(default_factory=list)
    heard_so_far: tuple[_Source, ...] = ()
    """The sources as a round began: what comes in within it counts from the next one on."""
    come: list[Triggered] = field(default_factory=list)
    unlucky: list[Triggered] = field(default_factory=list)
    troubles: dict[str, FileTrouble] = field(default_factory=dict)
    timed_out: set[str] = field(default_factory=set)
    looks: int = WORDS_WORK
    folded: dict[tuple[str, bool], str] = field(default_factory=dict)
    wanted: dict[tuple[str, bool, bool], str] = field(default_factory=dict)

    def run(self, entries: Sequence[LoreEntry]) -> LoreScan:
        newest_first = enumerate(reversed(self.talk))
        self.sources = [_Source(text[:SCAN_LIMIT], "", age) for age, text in newest_first]
        waiting = sorted(
            (entry for entry in entries if entry.enabled and entry.text),
            key=lambda entry: (not entry.constant, entry.order, entry.path),
        )
        try:
            self.search(waiting)
        except _TooMuchWork:
            says = "searching for all these keys takes too long; it was given up"
            self.troubles[""] = FileTrouble(LORE_FOLDER, 0, says)
        return LoreScan(
            _ordered(self.come),
            _ordered(self.unlucky),
            tuple(self.troubles.values()),
            tuple(sorted(self.timed_out)),
        )

    def search(self, waiting: list[LoreEntry]) -> None:
        """Search the messages, then the texts of entries that came in, and so on."""
        hits: dict[str, Triggered] = {}
        searched = -1
        while len(self.sources) > searched:
            new, searched = self.sources[max(searched, 0) :], len(self.sources)
            self.heard_so_far = tuple(self.sources)
            left = []
            for entry in waiting:
                try:
                    hit = self.hit(entry, new, hits)
                except SearchTimeout:
                    self.timed_out.add(entry.path)
                    continue
                if hit is None:
                    left.append(entry)
                else:
                    self.take(hit)
            waiting = left

    def take(self, hit: Triggered) -> None:
        entry = hit.entry
        if self.draw is not None and not is_drawn(self.draw, entry):
            self.unlucky.append(hit)
            return
        self.come.append(hit)
        if not entry.prevent_recursion:
            self.sources.append(_Source(self.filled(entry.text)[:SCAN_LIMIT], entry.path))

    def hit(
        self, entry: LoreEntry, new: Sequence[_Source], hits: dict[str, Triggered]
    ) -> Triggered | None:
        """How an entry comes in; None if it does not yet. ``hits`` keeps the key that was found."""
        self.charge(1)
        if entry.constant:
            return Triggered(entry)
        found = hits.get(entry.path) or self.first_key(entry, self.heard(entry, new))
        if found is None:
            return None
        hits[entry.path] = found
        return found if self.allows(entry) else None

    def heard(self, entry: LoreEntry, sources: Iterable[_Source]) -> list[_Source]:
        depth = self.depth if entry.scan_depth is None else entry.scan_depth
        return [
            source
            for source in sources
            if (not entry.exclude_recursion if source.by else source.age < depth)
        ]

    def first_key(self, entry: LoreEntry, sources: Sequence[_Source]) -> Triggered | None:
        """The newest message with a key in it, and its first such key."""
        for source in sources:
            for key in entry.keys:
                if self.is_in(key, source.text, entry):
                    return Triggered(entry, key, source.by)
        return None

    def allows(self, entry: LoreEntry) -> bool:
        """Whether the secondary keys let an entry in."""
        if not entry.secondary_keys:
            return True
        heard = self.heard(entry, self.heard_so_far)
        there = (
            any(self.is_in(key, source.text, entry) for source in heard)
            for key in entry.secondary_keys
        )
        match entry.secondary_logic:
            case "and_any":
                return any(there)
            case "and_all":
                return all(there)
            case "not_any":
                return not any(there)
            case "not_all":
                return not all(there)

    def is_in(self, key: str, text: str, entry: LoreEntry) -> bool:
        name = (key, entry.regex, entry.case_sensitive)
        wanted = self.wanted.get(name)
        if wanted is None:
            is_pattern = entry.regex and is_written_as_pattern(key)
            wanted = "" if is_pattern else self.fold(self.filled(key), entry)
            self.wanted[name] = wanted
        if not wanted:
            return self.matches(key, text, entry) if entry.regex and key else False
        there = self.folded.get((text, entry.case_sensitive)) or self.fold(text, entry)
        self.looks -= 1 + (len(there) >> _LOOK_SHIFT)
        if self.looks < 0:
            raise _TooMuchWork
        return wanted in there and self.is_found(wanted, there, entry)

    def is_found(self, wanted: str, there: str, entry: LoreEntry) -> bool:
        """Whether a text has a key as the entry wants it."""
        at = there.find(wanted)
        while at >= 0:
            if not entry.whole_words or _is_whole(there, at, at + len(wanted)):
                return True
            self.charge(1)
            at = there.find(wanted, at + 1)
        return False

    def fold(self, text: str, entry: LoreEntry) -> str:
        """Fold a text for comparing keys: one form of each letter, single spaces."""
        name = (text, entry.case_sensitive)
        folded = self.folded.get(name)
        if folded is None:
            folded = normalize("NFKC", text)
            if not entry.case_sensitive:
                folded = normalize("NFKC", folded.casefold())
            folded = self.folded[name] = " ".join(folded.split())
        return folded

    def charge(self, looks: int) -> None:
        self.looks -= looks
        if self.looks < 0:
            raise _TooMuchWork

    def matches(self, key: str, text: str, entry: LoreEntry) -> bool:
        """Search for a regular expression, unless it would take too much work.

        Raises:
            SearchTimeout: it took too long.
        """
        if self.steps > 0:
            # `read_lore` has left out keys that cannot be made ready.
            pattern = compile_pattern(key, ignore_case=not entry.case_sensitive)
            self.steps -= pattern.steps * _READY_WORK
            work = pattern.steps * len(text)
            if work <= self.steps:
                self.steps -= work
                begun = thread_time()
                try:
                    return pattern.found(text, min(PATTERN_SECONDS, self.seconds))
                finally:
                    self.seconds -= thread_time() - begun
        says = f"{key}: searching for it takes too long; it was given up"
        self.troubles.setdefault(f"{entry.path}\n{key}", FileTrouble(entry.path, 0, says))
        return False

    def filled(self, text: str) -> str:
        return fill(text, char=self.char or "{{char}}", user=self.user or "{{user}}")


def _ordered(found: Sequence[Triggered]) -> tuple[Triggered, ...]:
    return tuple(sorted(found, key=lambda each: (each.entry.order, each.entry.path)))


def _is_whole(text: str, begin: int, end: int) -> bool:
    """Whether part of a text is whole words, where its script has spaces."""
    begins = begin == 0 or not (_joined(text[begin - 1]) and _joined(text[begin]))
    return begins and (end == len(text) or not (_joined(text[end - 1]) and _joined(text[end])))


# Scripts whose words stand without spaces, or (Korean) carry endings: Thai to Tibetan, Myanmar,
# Khmer and Tai, Han with kana and Hangul, and their extensions.
_UNSPACED = (
    (0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x1950, 0x1AAF),
    (0x2E80, 0xA4CF), (0xA960, 0xA97F), (0xA9E0, 0xA9FF), (0xAA60, 0xAADF), (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip


def _joined(character: str) -> bool:
    """Whether a character belongs to words that spaces separate."""
    code = ord(character)
    if code >= 0x0E00 and any(first <= code <= last for first, last in _UNSPACED):
        return False
    return character.isalnum() or character == "_" or category(character)[0] == "M"
