"""Reading git's tables of refs: as git wrote them, as the format allows, and damaged at will."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.git.errors import DamagedRepository, LinkInside, UnsupportedRepository
from perdure.git.refs.refs import Head
from perdure.git.refs.reftable import DamagedTable, Table
from perdure.git.refs.table_stack import TableStack
from perdure.git.repository.repository import Repository
from tests.conftest import git
from tests.git.table_writer import Form, Value, entry, table
from tests.newer_git import NewerGit, newer_git

__all__ = ["newer_git"]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "reftables"
SCENES = ("two-blocks", "two-thousand", "stack", "detached", "unpadded-index")
OLD, NEW = "0" * 40, "ab" * 20


def unpacked(scene: str, to: Path) -> Path:
    with tarfile.open(FIXTURES / f"{scene}.tar.xz") as packed:
        # The argument for it is not there in every Python 3.11; the next ones want it.
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        packed.extractall(to)  # noqa: S202 - our own
    return to


def in_tables(path: Path, tables: Mapping[str, bytes]) -> Path:
    """A repository whose refs are in these tables, and who has their folder."""
    git(path.parent, "init", "-q", str(path))
    git_dir = path / ".git"
    (git_dir / "config").write_text(
        "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n"
    )
    (git_dir / "HEAD").write_text("ref: refs/heads/.invalid\n")
    (git_dir / "refs/heads").rmdir()
    (git_dir / "refs/heads").write_text("this repository uses the reftable format\n")
    (git_dir / "reftable").mkdir()
    for name, data in tables.items():
        (git_dir / "reftable" / name).write_bytes(data)
    (git_dir / "reftable" / "tables.list").write_text("".join(f"{name}\n" for name in tables))
    return git_dir


@pytest.mark.parametrize("scene", SCENES)
def test_every_ref_that_git_wrote_is_read(scene: str, tmp_path: Path) -> None:
    folder = unpacked(scene, tmp_path)
    values = TableStack(folder).values()
    resolved = dict(values)
    for name, value in values.items():
        resolved[name] = resolved.get(value[5:], value) if value.startswith(b"ref: ") else value
    found = []
    for name, value in sorted(values.items()):
        symbolic = value[5:] if value.startswith(b"ref: ") else b""
        found.append(b"%s %s %s" % (name, resolved[name], symbolic))
    said = (folder / "refs.txt").read_bytes().splitlines()
    assert found == said


@pytest.mark.parametrize("scene", SCENES)
def test_every_reflog_that_git_wrote_is_read(scene: str, tmp_path: Path) -> None:
    folder = unpacked(scene, tmp_path)
    logs = TableStack(folder).logs()
    found = b"".join(
        b"# %s\n" % name + b"".join(one.line() for one in logs[name] if not one.is_mark)
        for name in sorted(logs)
    )
    said = (folder / "logs.txt").read_bytes()
    heading = re.compile(rb"^# ", re.MULTILINE)
    assert sorted(heading.split(found)) == sorted(heading.split(said))


def test_the_table_with_two_blocks_has_two(tmp_path: Path) -> None:
    """What another reader shows the first block of, in silence."""
    (path,) = (unpacked("two-blocks", tmp_path) / "reftable").glob("*.ref")
    data = path.read_bytes()
    assert data[24:25] == data[4096:4097] == b"r"
    assert len(list(Table(path.name, data).refs())) == 201


_NAMES = st.text("abc/ü", min_size=1, max_size=30).map(lambda text: b"refs/" + text.encode())
_IDS = st.binary(min_size=20, max_size=20).map(lambda raw: raw.hex().encode())
_VALUES: st.SearchStrategy[Value] = st.one_of(
    _IDS,
    st.tuples(_IDS, _IDS).map(b"".join),
    _NAMES.map(lambda name: b"ref: " + name),
    st.none(),
)
_FORMS = st.builds(
    Form,
    version=st.sampled_from([1, 2]),
    block_size=st.sampled_from([256, 512, 4096, 65536]),
    is_aligned=st.booleans(),
    restart_every=st.sampled_from([1, 2, 16, 64]),
)
_LOGS = st.lists(
    st.tuples(
        _NAMES,
        st.integers(1, 2**64 - 1),
        st.one_of(
            st.just(b""),
            st.builds(
                entry,
                st.just(OLD),
                st.just(NEW),
                st.integers(0, 2**63),
                st.integers(-1400, 1400),
                st.binary(max_size=60),
            ),
        ),
    ),
    max_size=30,
    unique_by=lambda row: row[:2],
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=80), _LOGS, _FORMS)
def test_what_the_format_allows_is_read(
    refs: dict[bytes, Value], logs: list[tuple[bytes, int, bytes]], form: Form
) -> None:
    found = Table("t.ref", table(refs, logs, form))
    expected = {
        name: value if value is None or value.startswith(b"ref: ") else value[:40]
        for name, value in refs.items()
    }
    assert dict(found.refs()) == expected
    entries = list(found.log(10**6))
    keys = {(one.ref, one.index, one.is_gone) for one in entries}
    assert keys == {(name, index, not value) for name, index, value in logs}


def damaged_reads(data: bytes) -> None:
    """Read all of a table; nothing but errors of ours."""
    try:
        found = Table("t.ref", data)
        list(found.refs())
        list(found.log(2**22))
    except (DamagedRepository, UnsupportedRepository):
        pass


def with_checksum(data: bytearray, header: int) -> bytes:
    """A table whose end is as it should be, whatever else is not."""
    foot = len(data) - header - 44
    if foot >= header:
        data[foot : foot + header] = data[:header]
        data[-4:] = zlib.crc32(data[foot:-4]).to_bytes(4)
    return bytes(data)


@given(st.data(), st.dictionaries(_NAMES, _VALUES, max_size=40), _LOGS, _FORMS)
def test_damage_is_said_and_nothing_else_raised(
    data: st.DataObject, refs: dict[bytes, Value], logs: list[tuple[bytes, int, bytes]], form: Form
) -> None:
    whole = bytearray(table(refs, logs, form))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    damaged_reads(bytes(whole))
    damaged_reads(with_checksum(whole, len(form.header)))


@given(st.binary(max_size=400))
def test_any_bytes_may_stand_for_a_table(data: bytes) -> None:
    damaged_reads(data)
    whole = bytearray(b"REFT\x01\0\x10\0" + bytes(16) + data + bytes(68))
    damaged_reads(with_checksum(whole, 24))


@pytest.mark.parametrize("scene", ["two-blocks", "two-thousand"])
def test_no_byte_of_a_table_can_be_lost_in_silence(scene: str, tmp_path: Path) -> None:
    """A cut or emptied block is told, and not a shorter list of refs shown."""
    (path,) = (unpacked(scene, tmp_path) / "reftable").glob("*.ref")
    data = path.read_bytes()
    whole = dict(Table("t", data).refs())
    for at in range(0, len(data) - 68, 977):
        part = bytearray(data)
        part[at : at + 64] = bytes(len(part[at : at + 64]))
        try:
            found = dict(Table("t", bytes(part)).refs())
        except DamagedTable:
            continue
        assert found.keys() == whole.keys()


def test_a_table_with_other_ids_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        Table("t.ref", table({}, form=Form(version=2, hash_name=b"s256")))


def test_reflogs_that_unpack_to_much_are_refused() -> None:
    rows = [(b"refs/heads/main", n, entry(OLD, NEW, 1, 0, b"a" * 4000)) for n in range(1, 100)]
    data = table({}, rows, Form(block_size=1 << 20))
    assert len(data) < 20_000
    with pytest.raises(DamagedTable, match="longer"):
        list(Table("t.ref", data).log(100_000))


def test_a_later_table_speaks_for_an_earlier_one(tmp_path: Path) -> None:
    git_dir = in_tables(
        tmp_path / "mira",
        {
            "1.ref": table({b"refs/heads/a": OLD.encode(), b"refs/heads/b": OLD.encode()}),
            "2.ref": table({b"refs/heads/a": None, b"refs/heads/b": NEW.encode()}),
        },
    )
    assert TableStack(git_dir).values() == {b"refs/heads/b": NEW.encode()}


def test_tables_that_git_joins_meanwhile_are_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_dir = in_tables(
        tmp_path / "mira",
        {
            "1.ref": table({b"refs/heads/a": OLD.encode()}),
            "2.ref": table({b"refs/heads/b": NEW.encode()}),
        },
    )
    stack = TableStack(git_dir)
    read = stack.names

    def joined_after() -> bytes:
        named = read()
        if b"1.ref" in named:
            both = {b"refs/heads/a": OLD.encode(), b"refs/heads/b": NEW.encode()}
            (stack.folder / "3.ref").write_bytes(table(both))
            (stack.folder / "tables.list").write_text("3.ref\n")
            (stack.folder / "1.ref").unlink()
        return named

    monkeypatch.setattr(stack, "names", joined_after)
    assert stack.values().keys() == {b"refs/heads/a", b"refs/heads/b"}


@pytest.mark.parametrize(
    "rows",
    ["gone.ref\n", "../config\n", ".hidden\n", "tables.list\n", "a" * 4096],
    ids=["gone", "outside", "hidden", "the list", "long"],
)
def test_a_list_that_names_no_tables_is_told(rows: str, tmp_path: Path) -> None:
    git_dir = in_tables(tmp_path / "mira", {"1.ref": table({b"HEAD": b"ref: refs/heads/main"})})
    (git_dir / "reftable/tables.list").write_text(rows)
    with pytest.raises(DamagedRepository), Repository.open(tmp_path / "mira") as repo:
        repo.head()
    (git_dir / "reftable/tables.list").unlink()
    with pytest.raises(DamagedRepository, match="missing"), Repository.open(tmp_path / "mira") as r:
        r.head()


def test_one_table_named_many_times_is_not_read_for_ever(tmp_path: Path) -> None:
    refs: dict[bytes, Value] = {b"refs/tags/%05d" % n: OLD.encode() for n in range(20_000)}
    git_dir = in_tables(tmp_path / "mira", {"1.ref": table(refs, form=Form(block_size=1 << 20))})
    (git_dir / "reftable/tables.list").write_text("1.ref\n" * 10_000)
    with pytest.raises(DamagedRepository, match=r"larger|more"):
        TableStack(git_dir).values()


def test_a_link_among_the_tables_is_refused(tmp_path: Path) -> None:
    git_dir = in_tables(tmp_path / "mira", {"1.ref": table({})})
    (git_dir / "reftable/1.ref").rename(tmp_path / "elsewhere")
    (git_dir / "reftable/1.ref").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkInside):
        Repository.open(tmp_path / "mira")


def test_the_refs_are_the_ones_that_git_lists(newer_git: NewerGit, tmp_path: Path) -> None:
    newer_git(tmp_path, "init", "-q", "-b", "main", "--ref-format=reftable", "mira")
    path = tmp_path / "mira"
    newer_git(path, "commit", "-q", "--allow-empty", "-m", "Mira begins")
    rows = "".join(f"create refs/heads/elsewhere/{n} HEAD\n" for n in range(2000))
    newer_git(path, "update-ref", "--stdin", data=rows)
    newer_git(path, "tag", "-a", "-m", "before", "before")
    newer_git(path, "update-ref", "refs/remotes/origin/main", "HEAD")
    newer_git(path, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    newer_git(path, "branch", "-D", "elsewhere/7")
    with Repository.open(path) as repo:
        refs = repo.parts().refs
        assert repo.head() == Head("main", newer_git(path, "rev-parse", "HEAD").strip())
        said = newer_git(path, "for-each-ref", "--format=%(refname) %(objectname)")
        assert [f"{name} {oid}" for name, oid in refs.names("refs/").items()] == said.splitlines()
        # Another git moves, joins and deletes beside an open repository.
        newer_git(path, "commit", "-q", "--allow-empty", "-m", "more")
        newer_git(path, "pack-refs", "--all")
        newer_git(path, "checkout", "-q", "--detach")
        assert repo.head() == Head(None, newer_git(path, "rev-parse", "main").strip())
        newer_git(path, "refs", "migrate", "--ref-format=files")
        assert len(refs.names("refs/heads/")) == 2000
        newer_git(path, "checkout", "-q", "main")
        assert repo.head().branch == "main"
        newer_git(path, "refs", "migrate", "--ref-format=reftable")
        assert repo.head().branch == "main"
        assert len(refs.names("refs/heads/")) == 2000


def test_a_linked_work_tree_has_its_own_head(newer_git: NewerGit, tmp_path: Path) -> None:
    newer_git(tmp_path, "init", "-q", "-b", "main", "--ref-format=reftable", "mira")
    path, linked = tmp_path / "mira", tmp_path / "linked"
    newer_git(path, "commit", "-q", "--allow-empty", "-m", "Mira begins")
    newer_git(path, "worktree", "add", "-q", "-b", "aside", str(linked))
    newer_git(linked, "update-ref", "refs/worktree/here", "HEAD")
    with Repository.open(path) as main, Repository.open(linked) as other:
        here, there = main.parts().refs, other.parts().refs
        assert (main.head().branch, other.head().branch) == ("main", "aside")
        assert here.checked_out_elsewhere() == {"aside": str(linked)}
        assert there.checked_out_elsewhere() == {"main": str(path)}
        assert "refs/worktree/here" in there.names("refs/")
        assert "refs/worktree/here" not in here.names("refs/")
