from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git.merge.text import Merged, merge_text, merge_union


def git_merge_file(base: bytes, ours: bytes, theirs: bytes, *flags: str) -> tuple[bytes, int]:
    with TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for place, data in zip(places, (ours, base, theirs), strict=True):
            place.write_bytes(data)
        labels = ["-L", "ours", "-L", "base", "-L", "theirs"]
        done = subprocess.run(
            ["git", "merge-file", "-p", *flags, *labels, *map(str, places)],
            capture_output=True,
            check=False,
        )
        return done.stdout, done.returncode


LINES = [b"line %d\n" % number for number in range(12)]


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A text and two versions of it; each line is there once: there is one way to align them."""
    base = LINES[: draw(st.integers(0, 12))]
    sides = []
    for name in (b"ours", b"theirs"):
        lines = list(base)
        for step in range(draw(st.integers(0, 3))):
            kind = draw(st.sampled_from(["change", "insert", "delete", "same"]))
            place = draw(st.integers(0, len(lines)))
            new = b"%s %d\n" % (b"both" if kind == "same" else name, step)
            if kind in {"insert", "same"}:
                lines.insert(place, new)
            elif place < len(lines):
                lines[place : place + 1] = [new] if kind == "change" else []
        text = b"".join(lines)
        sides.append(text[:-1] if draw(st.booleans()) else text)
    return b"".join(base), sides[0], sides[1]


@settings(max_examples=150, deadline=None)
@given(edited())
def test_merges_as_git_does(versions: tuple[bytes, bytes, bytes]) -> None:
    base, ours, theirs = versions
    text, conflicts = git_merge_file(base, ours, theirs)
    result = merge_text(base, ours, theirs)
    assert bool(result.pairs) == bool(conflicts)
    if not result.pairs:
        assert result.content == text
    elif base.endswith(b"\n") and ours.endswith(b"\n") and theirs.endswith(b"\n"):
        # git puts conflicts that stand close together between one pair of marks.
        chosen = re.sub(
            rb"<{7} ours\n(.*?)={7}\n.*?>{7} theirs\n", rb"\1", result.content, flags=re.DOTALL
        )
        assert chosen == git_merge_file(base, ours, theirs, "--ours")[0]


@given(st.lists(st.binary(max_size=6) | st.sampled_from([b"a\n", b"b\n", b"\r\n"]), max_size=6))
def test_what_one_side_left_alone_is_taken_from_the_other(parts: list[bytes]) -> None:
    base, other = b"".join(parts[::2]), b"".join(parts)
    assert merge_text(base, base, other) == merge_text(base, other, base) == Merged(other)
    assert merge_text(base, other, other) == Merged(other)
    assert merge_union(base, other, base) == merge_union(base, base, other) == other


@given(edited())
def test_a_conflict_holds_both_sides(versions: tuple[bytes, bytes, bytes]) -> None:
    base, ours, theirs = versions
    result = merge_text(base, ours, theirs, names=("main", "other"))
    if result.pairs:
        for left, right in result.pairs:
            block = b"<<<<<<< main\n%s=======\n%s>>>>>>> other\n"
            ends = [
                side + b"\n" if side and not side.endswith(b"\n") else side
                for side in (left, right)
            ]
            assert block % tuple(ends) in result.content
    for line in {*ours.splitlines(), *theirs.splitlines()} - {*base.splitlines()}:
        assert line in result.content


@given(edited())
def test_union_keeps_every_new_line(versions: tuple[bytes, bytes, bytes]) -> None:
    base, ours, theirs = versions
    lines = set(merge_union(base, ours, theirs).splitlines())
    old = set(base.splitlines())
    assert (set(ours.splitlines()) | set(theirs.splitlines())) - old <= lines


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        (b"# F\n\n- a\n", b"# F\n\n- a\n- b\n", b"# F\n\n- a\n- c\n"),
        (b"a", b"a\nb", b"a\nc"),
        (b"", b"x\n", b"y\n"),
        (b"1\n2\n3\n", b"1\nx\n3\n", b"1\n2\ny\n"),
    ],
)
def test_union_is_gits(base: bytes, ours: bytes, theirs: bytes) -> None:
    assert merge_union(base, ours, theirs) == git_merge_file(base, ours, theirs, "--union")[0]
