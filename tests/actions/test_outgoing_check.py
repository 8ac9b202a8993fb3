"""The whole history is searched for keys and huge files before any of it leaves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.actions.companion import outgoing_check
from perdure.actions.companion.outgoing_check import HistoryFindings, accept, search_history
from perdure.companion.secrets import MASK, find_secrets
from perdure.git.repository.repository import Repository
from tests.conftest import git
from tests.lives import make_life

FIXTURES = Path(__file__).parents[1] / "fixtures" / "companions"

# Shaped as keys are, and none of them a key.
KEY = "sk-ant-" + "api03-" + "Ab1_" * 8
OTHER = "ghp_" + "aB3d" * 9
ARMOUR = "\n".join(
    [
        "-----BEGIN RSA PRIVATE KEY-----",
        *["MIIE" + "aB3d" * 15] * 3,
        "-----END RSA PRIVATE KEY-----",
    ]
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository of git's with one commit."""
    path = tmp_path / "mira"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    write(path, "persona/10-who.md", "I am Mira.\n")
    return path


def write(path: Path, file: str, text: str | bytes, message: str = "edit") -> str:
    (path / file).parent.mkdir(exist_ok=True)
    (path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    git(path, "add", "-A")
    git(path, "commit", "-qm", message)
    return git(path, "rev-parse", "HEAD").strip()


def refs(path: Path) -> dict[str, str]:
    rows = git(path, "for-each-ref", "--format=%(refname) %(objectname)", "refs").splitlines()
    return {name: oid for name, _, oid in (row.partition(" ") for row in rows)}


def searched(path: Path, known: tuple[str, ...] = (), place: str = "here") -> HistoryFindings:
    with Repository.open(path) as repo:
        return search_history(repo, refs(path), place=place, known=known)


def test_a_key_in_a_version_that_is_gone_is_found_with_its_file_and_its_date(place: Path) -> None:
    commit = write(place, "persona/20-more.md", f"Hello.\nMy key is {KEY}, mind it.\n")
    write(place, "persona/20-more.md", "Hello.\n")
    found = searched(place)
    (key,) = found.keys
    assert key.origin.path == "persona/20-more.md"
    assert key.origin.commit == commit
    assert key.origin.at is not None
    assert not key.origin.is_current
    assert key.excerpt == f"My key is sk-{MASK}"
    assert KEY not in "".join(found.describe())
    assert "only in older versions" in found.describe()[0]


def test_a_key_is_found_wherever_it_stands(place: Path) -> None:
    """File, message, note of a tag, names of branch, tag and file, a link, a UTF-16 text."""
    keys = ["hf_" + letter * 2 + "aB3d" * 8 for letter in "abcdefgh"]
    write(place, "notes.md", keys[0], f"edit: {keys[1]}")
    git(place, "tag", "-a", "-m", f"here: {keys[2]}", "v1")
    git(place, "branch", keys[3])
    git(place, "tag", keys[4])
    write(place, f"{keys[5]}.md", "x")
    (place / "link").symlink_to(keys[6])
    write(place, "wide.txt", f"key: {keys[7]}".encode("utf-16"))
    found = searched(place)
    assert len(found.keys) == len(keys)
    text = "\n".join(found.describe())
    assert not any(key in text for key in keys)
    for words in (
        "in notes.md", "in the message of a commit", "in the note of the tag v1",
        "in the name of the branch", "in the name of the tag", "in the name of a file",
        "in link", "in wide.txt",
    ):  # fmt: skip
        assert words in text


def test_a_tag_on_a_file_or_on_a_tag_is_followed(place: Path) -> None:
    oid = subprocess.run(
        ["git", "-C", place, "hash-object", "-w", "--stdin"],
        input=KEY.encode(), capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    git(place, "tag", "-a", "-m", "a file", "blob", oid)
    git(place, "tag", "-a", "-m", f"see {OTHER}", "outer", "blob")
    places = {key.origin.place for key in searched(place).keys}
    assert places == {"the file that the tag blob names", "the note of the tag outer"}


def test_only_what_is_new_is_searched_the_next_time(place: Path) -> None:
    assert searched(place).commits == 1
    assert searched(place).commits == 0
    side = git(place, "rev-parse", "HEAD").strip()
    write(place, "notes.md", "one")
    write(place, "notes.md", "one, two")
    assert searched(place).commits == 2
    git(place, "switch", "-q", "-c", "side", side)
    write(place, "notes.md", f"{KEY} and more")
    found = searched(place)
    assert found.commits == 1
    assert len(found.keys) == 1


def test_what_is_found_is_found_again_until_it_is_accepted(place: Path) -> None:
    write(place, "notes.md", KEY)
    assert len(searched(place).keys) == 1
    found = searched(place)
    assert len(found.keys) == 1
    with Repository.open(place) as repo:
        accept(repo, found, "here")
    assert searched(place) == HistoryFindings(tips=found.tips)
    assert searched(place, place="elsewhere").keys == found.keys
    write(place, "notes.md", f"{KEY}\nand {OTHER}")
    (other,) = searched(place).keys
    assert other.excerpt == f"and ghp_{MASK}"
    # Neither key stands in the state that remembers it.
    state = (place / ".git" / "perdure" / "state" / "history-search.json").read_text()
    assert KEY not in state


def test_other_shapes_are_searched_for_from_the_beginning(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert searched(place).commits == 1
    monkeypatch.setattr(outgoing_check, "search_version", lambda: "another")
    assert searched(place).commits == 1
    assert searched(place).commits == 0


def test_a_huge_version_is_found_also_where_it_is_gone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing_check, "LARGEST", 1000)
    commit = write(place, "film.bin", b"x" * 1001)
    write(place, "film.bin", b"x" * 1000)
    found = searched(place)
    (file,) = found.files
    assert (file.size, file.origin.path, file.origin.commit) == (1001, "film.bin", commit)
    assert not file.origin.is_current
    with Repository.open(place) as repo:
        accept(repo, found, "here")
    assert searched(place).is_clean


def test_a_loaded_key_without_a_shape_is_found_in_old_versions(place: Path) -> None:
    write(place, "notes.md", "I said correct-horse/battery to you")
    write(place, "notes.md", "nothing")
    assert searched(place, known=("correct-horse/battery",)).keys


def test_a_key_brought_by_a_merge_alone_is_found(place: Path) -> None:
    git(place, "switch", "-qc", "side")
    write(place, "a.md", "a")
    git(place, "switch", "-q", "main")
    write(place, "b.md", "b")
    git(place, "merge", "-q", "--no-commit", "side")
    (place / "c.md").write_text(KEY)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "merge")
    assert [key.origin.path for key in searched(place).keys] == ["c.md"]


def test_more_keys_than_are_listed_are_counted_and_not_accepted_unseen(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing_check, "_LISTED", 2)
    write(place, "notes.md", "\n".join("hf_" + letter + "aB3d" * 8 for letter in "abcde"))
    found = searched(place)
    assert (len(found.keys), found.more) == (2, 3)
    with Repository.open(place) as repo:
        accept(repo, found, "here")
    assert len(searched(place).keys) == 2


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("*.bundle")))
def test_ordinary_companions_hold_none(tmp_path: Path, name: str) -> None:
    git(tmp_path, "clone", "-q", "--mirror", str(FIXTURES / f"{name}.bundle"), "bare.git")
    git(tmp_path, "clone", "-q", "bare.git", "mira")
    assert searched(tmp_path / "mira").describe() == []


def test_a_life_of_turns_is_searched_turn_by_turn(tmp_path: Path) -> None:
    path = tmp_path / "life"
    make_life(path, 60)
    found = searched(path)
    assert found.is_clean
    assert found.commits == int(git(path, "rev-list", "--count", "--all"))


PIECES = st.sampled_from(
    [KEY, OTHER, KEY[:20], KEY[20:], "password", ": ", "hunter22", " is ", "\n", " ", "x" * 200,
     "words and words ", "\n\n#### 7 · Ana\n", "é", "密码", *ARMOUR.split("\n"), ARMOUR,
     "Authorization: Bearer ", "aB3d" * 10, "https://u:", "p4ssw0rd", "@host/", "y " * 150]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14), st.data())
def test_what_a_version_adds_shows_every_key_that_it_adds(
    pieces: list[str], data: st.DataObject
) -> None:
    """A key of the newer version that the older one does not have is never missed."""
    start = data.draw(st.integers(0, len(pieces)))
    stop = data.draw(st.integers(start, len(pieces)))
    put = data.draw(st.lists(PIECES, max_size=4))
    before, after = "".join(pieces), "".join([*pieces[:start], *put, *pieces[stop:]])
    old = {before[each.start : each.end] for each in find_secrets(before)}
    new = {after[each.start : each.end] for each in find_secrets(after)}
    added = outgoing_check._added(before.encode(), after.encode(), 0).decode("utf-8", "replace")
    if new - old:
        assert list(find_secrets(added))
