"""Which side follows the other, decided without a repository."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perdure.git.remotes.reconcile import StepKind, reconcile

# Commits are words; one is in the past of another that begins with it.
COMMITS = ["a", "ab", "abc", "abd", "x"]
MAIN = "refs/heads/main"


def is_ancestor(one: str, other: str) -> bool:
    return other.startswith(one)


def related(one: str, other: str) -> bool:
    return one[0] == other[0]


def step(
    here: str | None, there: str | None, agreed: str | None, *, ref: str = MAIN, current: str = ""
) -> StepKind | None:
    def refs(oid: str | None) -> dict[str, str]:
        return {ref: oid} if oid else {}

    found = reconcile(
        refs(here),
        refs(there),
        refs(agreed),
        current=current or None,
        is_ancestor=is_ancestor,
        related=related,
    )
    assert len(found) <= 1
    return found[0].step if found else None


def test_whoever_is_behind_follows() -> None:
    assert step("ab", "a", "a") is StepKind.PUSH
    assert step("a", "ab", "a") is StepKind.TAKE
    assert step("abc", "abd", "ab") is StepKind.MERGE
    assert step("abc", "abd", None) is StepKind.MERGE
    assert step("ab", "ab", "a") is None


def test_what_one_side_took_away_goes_on_the_other_if_it_did_not_move() -> None:
    assert step(None, "a", "a") is StepKind.DROP_THERE
    assert step("a", None, "a") is StepKind.DROP_HERE
    assert step(None, "ab", "a") is StepKind.TAKE
    assert step("ab", None, "a") is StepKind.PUSH
    assert step("a", None, None) is StepKind.PUSH
    assert step(None, "a", None) is StepKind.TAKE


def test_the_branch_that_is_checked_out_is_never_taken_away_here() -> None:
    assert step("a", None, "a", current=MAIN) is StepKind.PUSH


def test_a_remote_that_went_back_is_not_followed_and_not_overwritten() -> None:
    assert step("abc", "a", "ab") is StepKind.WENT_BACK
    assert step("ab", "a", "ab") is StepKind.WENT_BACK
    assert step("abc", "abd", "abc") is StepKind.WENT_BACK
    assert step("ab", "x", "ab") is StepKind.WENT_BACK
    assert step("ab", "x", None) is StepKind.UNRELATED


def test_a_tag_follows_the_side_that_moved_it() -> None:
    tag = "refs/tags/one"
    assert step("a", "ab", "a", ref=tag) is StepKind.TAKE
    assert step("ab", "a", "a", ref=tag) is StepKind.PUSH
    assert step("ab", "x", "a", ref=tag) is StepKind.DIFFER
    assert step("a", "ab", None, ref=tag) is StepKind.DIFFER


def test_kept_lines_are_only_added() -> None:
    kept = "refs/perdure/kept/" + "1" * 40
    assert step("a", None, "a", ref=kept) is StepKind.PUSH
    assert step(None, "a", "a", ref=kept) is StepKind.TAKE


def test_what_does_not_travel_is_left_alone() -> None:
    assert step("a", "ab", None, ref="refs/perdure/ops") is None
    assert step(None, "ab", None, ref="refs/pull/1/head") is None


@given(
    st.sampled_from([None, *COMMITS]),
    st.sampled_from([None, *COMMITS]),
    st.sampled_from([None, *COMMITS]),
)
def test_following_a_decision_never_drops_what_only_one_side_has(
    here: str | None, there: str | None, agreed: str | None
) -> None:
    found = step(here, there, agreed)
    if found is StepKind.PUSH and there is not None:
        assert here is not None
        assert is_ancestor(there, here)
    if found is StepKind.TAKE and here is not None:
        assert there is not None
        assert is_ancestor(here, there)
    if found in {StepKind.DROP_HERE, StepKind.DROP_THERE}:
        assert (here or there) == agreed
