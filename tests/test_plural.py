"""Numbers with what they count."""

from __future__ import annotations

from perdure.plural import plural


def test_one_is_one_and_none_are_many() -> None:
    assert [plural(n, "turn") for n in (0, 1, 2)] == ["0 turns", "1 turn", "2 turns"]
    assert [plural(n, "branch", "branches") for n in (1, 2)] == ["1 branch", "2 branches"]
