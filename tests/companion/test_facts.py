"""Facts: a line a fact; what a hand wrote is read as far as it goes, and never rewritten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.companion.errors import BadFact
from perdure.companion.memory.facts import (
    TRUSTS,
    Fact,
    default_trust,
    fact_text,
    parse_line,
    read_facts,
    render_line,
    topic_name,
    with_line,
    with_line_changed,
)
from perdure.git.merge.text import merge_union

PEOPLE = "memory/facts/people.md"
TURN = "2026-11-22-1803-9f3a77c0/7"
CHUNK = "conversations/2026-11/22/2026-11-22-1803-0001-9f3a77c0.md"

sources = st.sampled_from(["", TURN, f"{TURN}~2", "import:0123abcd"])
texts = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=" -`()[]pinned:import0&#x;/\r\n\u2028\ud800", max_size=40),
).filter(lambda text: bool(text.strip()))
facts = st.builds(
    Fact,
    topic=st.just("people"),
    text=texts,
    source=sources,
    trust=st.sampled_from(TRUSTS),
    pinned=st.booleans(),
    reviewed=st.booleans(),
)


@given(facts)
@example(Fact("people", "she says `pinned`", TURN, "companion"))
@example(Fact("people", f"see ({TURN})", "", "user"))
@example(Fact("people", "- --", "", "user"))
def test_a_line_gives_the_fact_back(fact: Fact) -> None:
    data = with_line(None, "people", render_line(fact))
    assert "\ud800" not in data.decode()
    (found,), troubles = read_facts({PEOPLE: data})
    assert troubles == ()
    assert found == replace(fact, path=PEOPLE, line=3)


@given(st.lists(facts, min_size=1, max_size=5), st.data())
def test_a_change_of_one_line_leaves_all_others(
    given_facts: list[Fact], data: st.DataObject
) -> None:
    file = b"# People\r\n\r\nsome prose\r\n"
    for fact in given_facts:
        file = with_line(file, "people", render_line(fact))
    before = file.split(b"\n")
    number = data.draw(st.sampled_from([fact.line for fact in read_facts({PEOPLE: file})[0]]))
    new = with_line_changed(file, number, "- Quite another.")
    assert new is not None
    after = new.split(b"\n")
    assert after[number - 1] == b"- Quite another.\r"
    del before[number - 1], after[number - 1]
    assert before == after
    gone = with_line_changed(file, number, None)
    assert gone is not None
    assert gone.split(b"\n") == before


def test_a_line_reads_well_on_a_forge() -> None:
    fact = Fact("people", "Marta is Ana's sister.", TURN, "user", pinned=True)
    line = f"- Marta is Ana's sister. ([{TURN}](../../{CHUNK})) `user` `pinned`"
    assert render_line(fact, CHUNK) == line
    assert parse_line(line) == replace(fact, topic="", link=f"../../{CHUNK}")
    # Written again without being told where the chunk is, the link stays.
    assert render_line(replace(fact, link=f"../../{CHUNK}")) == line


@pytest.mark.parametrize(
    ("line", "text", "source", "trust"),
    [
        ("- Likes tea.", "Likes tea.", "", "user"),
        ("*   Likes tea.  ", "Likes tea.", "", "user"),
        (f"+ Likes tea. ({TURN})", "Likes tea.", TURN, "companion"),
        (f"- Likes tea. `pinned` ([{TURN}](x.md)) `user`", "Likes tea.", TURN, "user"),
        ("- Likes [tea](http://tea.example).", "Likes [tea](http://tea.example).", "", "user"),
        ("- Likes ([tea](http://tea.example))", "Likes ([tea](http://tea.example))", "", "user"),
        ("- From a card (import:0123abcd)", "From a card", "import:0123abcd", "imported"),
        # Two classes at once, as a union of two edits leaves them: the least trusted counts.
        ("- Two `user` `imported`", "Two", "", "imported"),
    ],
)
def test_lines_that_a_hand_wrote(line: str, text: str, source: str, trust: str) -> None:
    (fact,), troubles = read_facts({PEOPLE: line.encode()})
    assert troubles == ()
    assert (fact.text, fact.source, fact.trust) == (text, source, trust)


def test_what_is_no_fact_is_located_and_the_rest_is_read() -> None:
    data = b"""---
tags: [people]
---
# People

<!-- a remark -->
- One.
Prose of somebody.
<<<<<<< HEAD
- Two.
=======
- Three. (2026-11-22-1803-9f3a77c0/x)
>>>>>>> other
-
---
"""
    facts, troubles = read_facts({PEOPLE: data, "memory/facts/sub/x.md": b"- No.\n"})
    assert [(fact.text, fact.line) for fact in facts] == [("One.", 7), ("Two.", 10), ("Three.", 12)]
    # A source that nobody can look up makes no fact more trusted.
    assert (facts[2].trust, facts[2].source) == ("imported", "")
    assert [trouble.line for trouble in troubles] == [8, 9, 11, 12, 13, 14]
    assert "merge conflict" in str(troubles[1])
    assert str(troubles[3]).startswith(f"{PEOPLE}:12: not a valid source")


def test_a_broken_file_takes_no_other_with_it() -> None:
    facts, troubles = read_facts(
        {
            PEOPLE: b"- One.\n- Gr\xfc\xdfe\n",
            "memory/facts/large.md": b"- x\n" * 300_000,
            "memory/facts/places.md": b"\xef\xbb\xbf- Ghent.\r\n- " + b"x" * 2001,
        }
    )
    assert [(fact.topic, fact.text) for fact in facts] == [("places", "Ghent.")]
    assert [(t.path, t.line) for t in troubles] == [
        ("memory/facts/large.md", 0),
        (PEOPLE, 2),
        ("memory/facts/places.md", 2),
    ]


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    read_facts({PEOPLE: data})


def test_two_versions_merge_by_union() -> None:
    base = with_line(None, "people", "- One.")
    ours, theirs = with_line(base, "people", "- Two."), with_line(base, "people", "- Three.")
    merged = merge_union(base, ours, theirs)
    assert {fact.text for fact in read_facts({PEOPLE: merged})[0]} == {"One.", "Two.", "Three."}
    both_new = merge_union(b"", ours, theirs)
    assert read_facts({PEOPLE: both_new})[1] == ()


def test_the_last_fact_takes_its_file_along() -> None:
    data = with_line(None, "people-i-know", "- One.")
    assert data == b"# People i know\n\n- One.\n"
    assert with_line_changed(data, 3, None) is None
    assert with_line_changed(data + b"a remark\n", 3, None) == b"# People i know\n\na remark\n"


def test_topics_and_texts_are_made_fit() -> None:
    assert topic_name(" People I know ") == "people-i-know"
    assert topic_name("../../etc/passwd") == "etc-passwd"
    assert topic_name("人们.md") == "人们"
    assert fact_text(" a\n  b\u2028c\x1b ") == "a b c"
    assert default_trust("import:0123abcd") == "imported"
    for bad in ("", " \n", "x" * 2001):
        with pytest.raises(BadFact):
            fact_text(bad)
    with pytest.raises(BadFact):
        topic_name("../..")
