from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from perdure.companion.config.backend_lock import LockEntry, parse_lock, render_lock

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
entries = st.dictionaries(
    words,
    st.builds(
        LockEntry,
        st.text("0123456789abcdef", min_size=16, max_size=16),
        st.dictionaries(st.sampled_from(["digest", "template", "more"]), words),
        st.just("2026-11-22T18:03:12+01:00"),
    ),
    max_size=4,
)


@given(entries)
def test_what_is_written_reads_back(known: dict[str, LockEntry]) -> None:
    data = render_lock(known)
    assert parse_lock(data, "backends.lock/here.yaml") == known
    other = YAML(typ="safe", pure=True).load(data.decode())
    assert set(other or {}) == set(known)


def test_entries_without_a_fingerprint_are_left_out() -> None:
    assert parse_lock(b"a: 1\nb:\n  digest: x\nc:\n  fingerprint: f\n", "x") == {
        "c": LockEntry("f")
    }
