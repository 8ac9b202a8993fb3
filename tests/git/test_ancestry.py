"""Ancestry in made-up histories, with clocks that go wrong, against a plain walk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from perdure.git.objects.commit import Author, CommitInfo
from perdure.git.refs.ancestry import Reach

NOBODY = Author("Ana", "ana@example.org")


class History:
    """Commits whose parents come before them. ``reads``: how often each was read."""

    def __init__(self, rows: Sequence[tuple[set[int], int]]) -> None:
        self.reads: list[str] = []
        self._infos: dict[str, CommitInfo] = {}
        for number, (parents, seconds) in enumerate(rows):
            at = datetime.fromtimestamp(seconds, UTC)
            below = tuple(f"{each:040x}" for each in sorted(parents) if each < number)
            oid = f"{number:040x}"
            self._infos[oid] = CommitInfo(
                id=oid, tree="", parents=below, author=NOBODY, committer=NOBODY, at=at,
                committed_at=at, subject="", body="", trailers=(),
            )  # fmt: skip

    def read(self, oid: str) -> CommitInfo:
        self.reads.append(oid)
        return self._infos[oid]

    def past(self, oid: str) -> set[str]:
        found, waiting = set[str](), [oid]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting += self._infos[each].parents
        return found

    @property
    def ids(self) -> list[str]:
        return list(self._infos)


HISTORIES = st.lists(
    st.tuples(st.sets(st.integers(0, 11), max_size=3), st.integers(0, 20)), min_size=1, max_size=12
).map(History)


@given(HISTORIES)
def test_any_two_commits_are_told_apart(history: History) -> None:
    reach = Reach(history.read)
    for one in history.ids:
        for other in history.ids:
            common = history.past(one) & history.past(other)
            best = [
                each
                for each in common
                if not any(each in history.past(more) for more in common if more != each)
            ]
            assert reach.merge_bases(one, other) == sorted(best)
            assert reach.is_ancestor(one, other) == (one in history.past(other))
            assert set(reach.hidden(one, [other])) == history.past(one) - history.past(other)


def test_one_walk_tells_all_about_two_commits() -> None:
    rows = [(set[int](), 0), *(({number}, number + 1) for number in range(50))]
    history = History([*rows, *((set[int]() if number == 51 else {number - 1}, number)
                                for number in range(51, 100))])  # fmt: skip
    reach = Reach(history.read)
    ours, theirs = history.ids[50], history.ids[-1]
    assert not reach.is_ancestor(ours, theirs)
    count = len(history.reads)
    assert not reach.is_ancestor(theirs, ours)
    assert reach.merge_bases(ours, theirs) == []
    assert len(history.reads) == count > 100
