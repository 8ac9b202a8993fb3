"""Proposals that wait: read and written alike, taken off by their lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.companion.errors import BadFile
from perdure.companion.ids import ConversationId
from perdure.companion.memory.proposals import (
    Proposal,
    Review,
    read_review,
    render_review,
    review_path,
    with_proposals,
    without,
)
from perdure.git.merge.text import merge_union

TALK = ConversationId("2026-11-22-1803-9f3a77c0")
PATH = review_path(TALK)
TURN = f"{TALK}/7"

lines = st.one_of(
    st.text(max_size=30), st.text(alphabet=" -:>`()note\n\r&#x;\ud800", max_size=30)
).filter(lambda text: bool(text.strip()))
sources = st.sampled_from(["", TURN, "import:0123abcd"])
notes = st.one_of(st.just(""), lines)
proposals = st.one_of(
    st.builds(Proposal, st.just("add"), lines, lines, st.just(""), sources, notes),
    st.builds(Proposal, st.just("replace"), lines, lines, lines, sources, notes),
    st.builds(Proposal, st.just("remove"), lines, st.just(""), lines, sources, notes),
    st.builds(Proposal, st.just("summary"), st.just(""), lines, st.just(""), sources, notes),
)
reviews = st.builds(
    Review,
    conversation=st.just(TALK),
    through=st.integers(0, 10**6),
    proposals=st.lists(proposals, max_size=4).map(tuple),
    backend=st.text(max_size=10),
    model=st.text(max_size=10),
)


def bare(review: Review) -> Review:
    return replace(review, path="", proposals=tuple(replace(p, line=0) for p in review.proposals))


@given(reviews)
@example(Review(TALK, 1, (Proposal("summary", "", "a\r\nb\r"),)))
def test_the_file_gives_the_review_back(review: Review) -> None:
    found = read_review(render_review(review), PATH)
    assert found.path == PATH
    assert bare(found) == review


@given(reviews, st.data())
def test_taking_proposals_off_leaves_the_rest(review: Review, data: st.DataObject) -> None:
    file = render_review(review)
    there = read_review(file, PATH).proposals
    gone = data.draw(st.sets(st.sampled_from([p.line for p in there]))) if there else set()
    left = without(file, PATH, gone)
    kept = tuple(replace(p, line=0) for p in there if p.line not in gone)
    if not kept:
        assert left is None
    else:
        assert left is not None
        assert bare(read_review(left, PATH)).proposals == kept
        assert left == render_review(replace(review, proposals=kept))


def test_it_reads_well_and_a_hand_may_change_it() -> None:
    review = Review(
        TALK,
        12,
        (
            Proposal("add", "people", "Ana's sister is Marta.", "", TURN),
            Proposal("replace", "people", "Ana bakes.", "Ana teaches.", TURN, "like one there"),
            Proposal("summary", "", "They spoke.\n\n- of rivers"),
        ),
        "local",
        "tiny",
    )
    assert (
        render_review(review).decode()
        == f"""---
conversation: {TALK}
through: 12
backend: "local"
model: "tiny"
---

# Proposals

- add people: Ana's sister is Marta. ({TURN})
- replace people: Ana bakes. ({TURN})
  instead of: Ana teaches.
  note: like one there
- summary:
  > They spoke.
  >
  > - of rivers
"""
    )
    by_hand = f"""---
# mine
conversation: '{TALK}'
through: 3
---
- add people: Ana sings.

Prose.
<<<<<<< HEAD
- add: no topic
- add people: Ana runs. (2026-11-22-1803-9f3a77c0/x)
- remove people: Ana smokes.
""".replace("\n", "\r\n").encode()
    found = read_review(by_hand, PATH)
    assert [(p.kind, p.text, p.instead_of, p.line) for p in found.proposals] == [
        ("add", "Ana sings.", "", 6),
        ("remove", "", "Ana smokes.", 12),
    ]
    assert [trouble.line for trouble in found.troubles] == [8, 9, 10, 11]
    # What cannot be read is not rewritten, and keeps the file.
    left = without(by_hand, PATH, [6, 12])
    assert left == by_hand.replace(b"- add people: Ana sings.\r\n", b"").replace(
        b"- remove people: Ana smokes.\r\n", b""
    )
    more = with_proposals(by_hand, [Proposal("add", "people", "Ana reads.")])
    assert more == by_hand + b"- add people: Ana reads.\n"


def test_what_two_devices_answered_merges_by_union() -> None:
    texts = ["One.", "Two.", "Three."]
    made = [Proposal("replace", "people", text, f"{text} before", TURN, "why") for text in texts]
    base = render_review(Review(TALK, 9, tuple(made)))
    first, second, _ = (each.line for each in read_review(base, PATH).proposals)
    ours, theirs = without(base, PATH, [first]), without(base, PATH, [second])
    assert ours is not None
    assert theirs is not None
    found = read_review(merge_union(base, ours, theirs), PATH)
    # What stood beside each other may come back, without its note; nothing is mixed up.
    assert found.troubles == ()
    assert "Three." in {each.text for each in found.proposals}
    back = {replace(each, line=0, note="") for each in found.proposals}
    assert back <= {replace(each, note="") for each in made}


@pytest.mark.parametrize(
    "data", [b"", b"- add a: b\n", b"---\nthrough: 1\n---\n", b"---\nx: \xff\n---"]
)
def test_a_file_about_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(BadFile):
        read_review(data, PATH)


@given(st.text(max_size=200))
def test_only_bad_files_are_refused(text: str) -> None:
    head = f"---\nconversation: {TALK}\nthrough: 1\n---\n"
    read_review((head + text).encode("utf-8", "replace"), PATH)
