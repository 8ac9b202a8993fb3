"""Which commits a fetch names, to find what both sides have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from perdure.git.wire.client import MOST_HAVES, MOST_WALKED, _Haves
from perdure.git.wire.transport import Advertised

Parents = Callable[[str], Sequence[str]]


def chain(asked: list[str]) -> Parents:
    """A history in one line: commit N's parent is N-1; what is asked for is written down."""

    def parents(oid: str) -> Sequence[str]:
        asked.append(oid)
        return [f"{int(oid) - 1:040}"] if int(oid) else []

    return parents


def named(heads: Sequence[int], there: Sequence[int], parents: Parents) -> list[int]:
    """The numbers of the commits that are named."""
    advertised = Advertised({f"refs/heads/{each}": f"{each:040}" for each in there}, None)
    walker = _Haves(
        [f"{each:040}" for each in heads], parents, [advertised], lambda call, *words: call(*words)
    )
    found = []
    while (have := next(walker)) is not None:
        found.append(int(have))
    return found


def test_what_the_remote_has_is_not_walked() -> None:
    asked: list[str] = []
    assert named([500, 90], [500, 90], chain(asked)) == [500, 90]
    assert asked == []


def test_what_the_remote_does_not_have_comes_first() -> None:
    asked: list[str] = []
    found = named([500, 90], [500], chain(asked))
    assert found[:2] == [90, 500]
    assert len(asked) == 91


def test_few_are_named_of_a_long_history() -> None:
    asked: list[str] = []
    found = named([10_000], [], chain(asked))
    assert found[0] == 10_000
    assert len(found) < 25
    gaps = [newer - older for newer, older in pairwise(found)]
    assert gaps == sorted(gaps)
    assert gaps[0] <= 2


def test_there_is_an_end_to_both() -> None:
    asked: list[str] = []
    named([10 * MOST_WALKED], [], chain(asked))
    assert len(asked) <= MOST_WALKED
    assert len(named(range(2 * MOST_HAVES), [], chain([]))) == MOST_HAVES


def test_what_was_acknowledged_is_not_walked() -> None:
    asked: list[str] = []
    walker = _Haves([f"{9:040}"], chain(asked), [], lambda call, *words: call(*words))
    assert next(walker) == b"%040d" % 9
    walker.ack(b"%040d" % 9)
    assert next(walker) is None
    assert asked == []
