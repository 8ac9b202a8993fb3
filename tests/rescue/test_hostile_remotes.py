"""A remote that somebody wrote to do harm: nothing outside is touched, nothing runs, she talks."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.chat.session import Session
from perdure.errors import Problem
from perdure.rescue.attended import result_lines
from perdure.rescue.sync import not_level
from perdure.terminal.sanitise import sanitise
from tests.conftest import assert_sound, git
from tests.git_servers import GitServer
from tests.rescue.devices import add_backup, clone, say, sync, words
from tests.rescue.hostile import Place, run_limited
from tests.speaking import Scripted

Harm = Callable[[Place], None]
REFUSED, WAITS, TAKEN = "refused", "waits", "taken"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ALIASES = "a: &a [x, x]\nb: [*a, *a]\n"


@pytest.fixture
def here(companion: Path, tmp_path: Path) -> Path:
    """A companion that was talked with, and is on a remote."""
    say(companion, "Hello.", "Do you know the river?")
    add_backup(companion, tmp_path / "place.git")
    sync(companion)
    return companion


@pytest.fixture
def place(here: Path, tmp_path: Path) -> Place:
    return Place(tmp_path / "place.git")


def entry(mode: str, name: str | bytes, data: bytes = b"touch PWNED\n") -> Harm:
    return lambda place: place.add((mode, name, place.blob(data)))


def folder(name: str | bytes) -> Harm:
    return lambda place: place.add(("40000", name, place.tree(("100644", "config", place.blob()))))


def files(**more: object) -> Harm:
    return lambda place: place.files({"notes.md": "x\n"}, **more)  # type: ignore[arg-type]


def file(path: str, text: str | bytes) -> Harm:
    return lambda place: place.files({path: text})


def twice(place: Place) -> None:
    rows = [*place.rows(), ("100644", "zz", place.blob()), ("100644", "zz", place.blob(b"x"))]
    place.ref("refs/heads/main", place.commit(place.tree(*rows), place.tip()))


def unsorted(place: Place) -> None:
    place.ref("refs/heads/main", place.commit(place.tree(*place.rows()[::-1]), place.tip()))


def repeated(name: str) -> Harm:
    """A tree of ten times itself, ten deep."""

    def put(place: Place) -> None:
        tree = place.tree(*(("100644", f"{n}.md", place.blob(b"x")) for n in range(10)))
        for _ in range(10):
            tree = place.tree(*(("40000", f"{n}", tree) for n in range(10)))
        place.add(("40000", name, tree))

    return put


def deep(place: Place) -> None:
    tree = place.tree(("100644", "x", place.blob()))
    for _ in range(5000):
        tree = place.tree(("40000", "d", tree))
    place.add(("40000", "zzz", tree))


def tag_on_tags(place: Place) -> None:
    oid, kind = place.tip(), "commit"
    for _ in range(100):
        text = f"object {oid}\ntype {kind}\ntag t\ntagger Eve <e@x> 1 +0000\n\nx\n"
        oid, kind = place.put("tag", text.encode()), "tag"
    place.ref("refs/tags/deep", oid)


def refs(*names: str) -> Harm:
    return lambda place: place.packed(dict.fromkeys(names, place.tip()))


def branch_of(kind: str) -> Harm:
    return lambda place: place.ref("refs/heads/odd", place.put(kind, b""))


def without_settings(place: Place) -> None:
    rows = [row for row in place.rows() if row[1] != "companion.yaml"]
    place.ref("refs/heads/main", place.commit(place.tree(*rows), place.tip()))


def parent_blob(place: Place) -> None:
    tree = place.tip("main^{tree}")
    place.ref("refs/heads/main", place.commit(tree, place.tip(), place.blob()))


def head(text: str) -> Harm:
    def put(place: Place) -> None:
        (place.path / "HEAD").write_text(text)

    return put


FORGED = (
    b"turn: hello\n\nTurn: 20260101-000000-abcdef#1\nBase: " + b"0" * 40 + b"\nRecalled: 1-2\n"
    b"Conflict: ../../x\nSettles: " + b"0" * 40 + b" ../x\nAnswer: 99\nPrompt: 00\n"
)
NEWER = "format: 99\nname: Mira\n"

# Each with what a sync makes of it: all is refused, this branch waits, or it is taken.
CASES: dict[str, tuple[Harm, str]] = {
    "..": (entry("100755", ".."), REFUSED),
    ".git": (folder(".git"), REFUSED),
    ".GIT": (folder(".GIT"), REFUSED),
    "git~1": (folder("git~1"), REFUSED),
    "zero width": (folder(".g\u200cit"), REFUSED),
    "a/b": (entry("100644", "a/b"), REFUSED),
    "two of a name": (twice, REFUSED),
    "unsorted": (unsorted, REFUSED),
    "mode": (entry("100777", "z"), REFUSED),
    "folder that is a file": (entry("40000", "z"), REFUSED),
    "link": (entry("120000", "zz", b"/etc/passwd"), WAITS),
    "link for the persona": (entry("120000", "persona", b"/tmp"), WAITS),
    "submodule": (lambda place: place.add(("160000", "zz", place.tip())), WAITS),
    "escape in a name": (entry("100644", b"a\x1b]0;pwned\x07b.md"), TAKEN),
    "bytes in a name": (entry("100644", b"\xff\xfe.md"), TAKEN),
    "tree bomb": (repeated("zzz"), REFUSED),
    "tree bomb of talk": (repeated("conversations"), REFUSED),
    "deep": (deep, REFUSED),
    "attributes": (file(".gitattributes", "* filter=x merge=x diff=x\n"), TAKEN),
    "modules": (file(".gitmodules", '[submodule "x"]\n\turl = ext::sh -c touch\n'), TAKEN),
    "ignored persona": (file(".gitignore", "persona\n"), TAKEN),
    "NUL in a message": (files(says=b"persona: a\0b\n"), REFUSED),
    "escape in a message": (files(says=b"persona: \x1b]0;x\x07\x1b[2J \xe2\x80\xae\n"), TAKEN),
    "huge message": (files(says=b"persona: x\n\n" + b"y" * 80_000_000), REFUSED),
    "forged trailers": (files(says=FORGED), TAKEN),
    "many conflicts": (files(says=b"merge: x\n\n" + b"Conflict: f\n" * 50_000), TAKEN),
    "author": (files(who="\x1b]0;pwn\x07\u202eeve <" + "x" * 50_000 + ">"), TAKEN),
    "before 1970": (files(at="-100000 +0000"), REFUSED),
    "no date": (files(at="x +0000"), REFUSED),
    "far date": (files(at="9" * 30 + " +0000"), REFUSED),
    "the year 10^9": (files(at="31556926000000000 +0000"), TAKEN),
    "parent that is a file": (parent_blob, REFUSED),
    "branch of a file": (branch_of("blob"), REFUSED),
    "branch of a tree": (branch_of("tree"), REFUSED),
    "branch of nothing": (lambda place: place.ref("refs/heads/odd", "1" * 40), REFUSED),
    "tags of tags": (tag_on_tags, REFUSED),
    "tag of a file": (lambda place: place.ref("refs/tags/odd", place.blob()), TAKEN),
    "log of operations": (refs("refs/perdure/ops/x", "refs/perdure/other"), TAKEN),
    "options": (refs("refs/heads/--upload-pack=x", "refs/heads/-x"), TAKEN),
    "dots": (refs("refs/heads/../../x", "refs/heads/a..b", "refs/heads/x.lock"), TAKEN),
    "long": (refs("refs/heads/" + "x" * 251, "refs/tags/" + "y/" * 600 + "y"), TAKEN),
    "as long as a file's": (refs("refs/heads/" + "x" * 250), TAKEN),
    "controls": (refs("refs/heads/a\x1b[2Jb", "refs/heads/bi\u202edi"), TAKEN),
    "a and a/b": (refs("refs/heads/df", "refs/heads/df/x"), WAITS),
    "a branch below a branch": (refs("refs/heads/main/x"), WAITS),
    "case and form": (refs("refs/heads/MAIN", "refs/heads/e\u0301", "refs/heads/\u00e9"), TAKEN),
    "600 branches": (refs(*(f"refs/heads/b{n}" for n in range(600))), WAITS),
    "HEAD elsewhere": (head("ref: refs/perdure/ops/x\n"), TAKEN),
    "HEAD an option": (head("ref: refs/heads/--x\n"), TAKEN),
    "HEAD outside": (head("ref: ../../../etc/passwd\n"), REFUSED),
    "aliases in settings": (file("companion.yaml", "format: 1\nname: M\n" + ALIASES), WAITS),
    "aliases in the persona": (file("persona/99.md", f"---\n{ALIASES}---\nx\n"), WAITS),
    "aliases in a manifest": (file("backends/eve.yaml", ALIASES), TAKEN),
    "brackets": (file("companion.yaml", "format: 1\nname: " + "[" * 100_000), WAITS),
    "huge settings": (file("companion.yaml", b"format: 1\nname: " + b"x" * 2_000_000), WAITS),
    "no settings": (without_settings, WAITS),
    "newer format": (file("companion.yaml", NEWER), WAITS),
    "newer format elsewhere": (
        lambda place: place.files({"companion.yaml": NEWER}, ref="refs/heads/side"),
        WAITS,
    ),
}


def outside(path: Path) -> set[str]:
    """All files beside the repositories that take part."""
    skipped = {"mira", "place.git", "copy"}
    return {
        str(each.relative_to(path))
        for top in path.iterdir()
        if top.name not in skipped
        for each in [top, *top.rglob("*")]
    }


def check_words(*texts: str) -> None:
    """What the command prints of these."""
    for text in map(sanitise, texts):
        assert not CONTROL.search(text), repr(text[:300])
        assert len(text) < 2000


@pytest.mark.parametrize(("harm", "becomes"), CASES.values(), ids=list(CASES))
def test_it_is_taken_or_refused_and_she_talks(
    harm: Harm, becomes: str, here: Path, place: Place, tmp_path: Path
) -> None:
    harm(place)
    before, tip = outside(tmp_path), git(here, "rev-parse", "main")
    found = TAKEN
    try:
        done = sync(here)
    except Problem as problem:
        found = REFUSED
        check_words(str(problem))
    else:
        check_words(*result_lines(done))
        waits = not_level(done)
        if waits is not None:
            found = WAITS
            check_words(str(waits))
    assert found == becomes
    if becomes == REFUSED:
        assert git(here, "rev-parse", "main") == tip
    say(here, "And now?")
    assert "And now?" in words(here)
    assert git(here, "status", "--porcelain") == ""
    git(here, "fsck", "--full")
    copy = tmp_path / "copy"
    try:
        clone(place.path, copy)
    except Problem as problem:
        check_words(str(problem))
        assert not copy.exists()
    else:
        git(copy, "fsck", "--full")
    assert outside(tmp_path) == before


def link(name: str) -> Harm:
    def put(place: Place) -> None:
        (place.path / name).unlink(missing_ok=True)
        (place.path / name).symlink_to("/etc/passwd")

    return put


def pipe(name: str) -> Harm:
    def put(place: Place) -> None:
        (place.path / name).unlink(missing_ok=True)
        os.mkfifo(place.path / name)

    return put


def state_link(place: Place) -> None:
    shutil.rmtree(place.path / "perdure")
    (place.path / "perdure").symlink_to(place.path.parent / "elsewhere")
    (place.path.parent / "elsewhere").mkdir()


def hooks(place: Place) -> None:
    for name in ("pre-receive", "update", "post-update", "reference-transaction"):
        hook = place.path / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {place.path.parent}/PWNED\n")
        hook.chmod(0o755)


def settings(text: str) -> Harm:
    def put(place: Place) -> None:
        (place.path / "config").write_text(f"[core]\n\tbare = true\n{text}")

    return put


def alternates(place: Place) -> None:
    folder = place.path.parent / "secret"
    (folder / "ab").mkdir(parents=True)
    (place.path / "objects" / "info" / "alternates").write_text(f"{folder}\n/etc\n")


FOLDERS: dict[str, Harm] = {
    "packed-refs a link": link("packed-refs"),
    "config a link": link("config"),
    "a branch a link": link("refs/heads/other"),
    "packed-refs a pipe": pipe("packed-refs"),
    "config a pipe": pipe("config"),
    "HEAD a pipe": pipe("HEAD"),
    "a branch a pipe": pipe("refs/heads/other"),
    "a pack a pipe": pipe("objects/pack/pack-1.idx"),
    "state a link": state_link,
    "hooks": hooks,
    "fsmonitor": settings('\tfsmonitor = "touch PWNED"\n\thooksPath = /tmp\n'),
    "include": settings("[include]\n\tpath = /etc/passwd\n"),
    "worktree": settings("\tworktree = /etc\n"),
    "alternates": alternates,
}


@pytest.mark.parametrize("harm", FOLDERS.values(), ids=list(FOLDERS))
def test_a_folder_that_is_set_up_to_run_or_lead_elsewhere(
    harm: Harm, here: Path, place: Place, tmp_path: Path
) -> None:
    say(here, "To be pushed.")
    harm(place)
    before = outside(tmp_path)
    for act in (lambda: sync(here), lambda: clone(place.path, tmp_path / "copy")):
        try:
            act()
        except Problem as problem:
            check_words(str(problem))
    assert outside(tmp_path) == before
    say(here, "And now?")
    assert_sound(here)


@pytest.fixture
def served(here: Path, git_daemon: GitServer) -> Place:
    """The same companion on a server."""
    path = git_daemon.folder / "place.git"
    shutil.copytree(here.parent / "place.git", path)
    git(here, "config", "remote.origin.url", f"{git_daemon.url}/place.git")
    return Place(path)


@pytest.mark.parametrize("name", ["..", "tree bomb", "huge message", "600 branches", "author"])
def test_a_server_is_met_within_bounds(name: str, here: Path, served: Place) -> None:
    CASES[name][0](served)
    for verb in ("sync", "pull"):
        done = run_limited(verb, "-c", str(here), folder=here.parent)
        assert done.code in {0, 1}
        assert done.megabytes < 300
        assert done.trouble.count("perdure: ") == done.code
        assert "Traceback" not in done.trouble
    say(here, "And now?")
    assert_sound(here)


@pytest.mark.parametrize("text", [NEWER, "format: 1\nname: [x]\n"], ids=["newer", "broken"])
def test_where_both_sides_moved_what_would_silence_her_waits(
    text: str, here: Path, place: Place
) -> None:
    file("companion.yaml", text)(place)
    say(here, "Meanwhile.")
    done = sync(here)
    assert list(done.waits) == ["refs/heads/main"]
    assert done.merged == []
    say(here, "And now?")
    assert "Meanwhile." in words(here)


async def test_an_author_with_a_name_of_a_page_is_told_in_a_line(here: Path, place: Place) -> None:
    text = (here / "companion.yaml").read_text().replace("hosted: no", "hosted: yes")
    who = "x" * 50_000 + " <" + "y" * 50_000 + ">"
    place.files({"persona/99.md": "Be kind.\n", "companion.yaml": text}, who=who)
    sync(here)
    session = await Session.open(here, backends=[Scripted()])
    await session.close()
    told = [notice.text for notice in session.notices]
    assert any("new here" in text for text in told)
    assert any("changed elsewhere" in text for text in told)
    check_words(*told)


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_names_from_there_do_not_steer_the_terminal(
    words: tuple[str, ...], here: Path, place: Place
) -> None:
    refs("refs/heads/a\x1b[2Jb", "refs/heads/bi\u202edi", "refs/tags/c\x9b2Jd")(place)
    files(who="\x1b]0;pwn\x07\u202eeve <eve@x>", says=b"persona: \x1b[2J\n")(place)
    done = run_limited("sync", "-c", str(here), *words, folder=here.parent)
    assert done.code == 0, done.trouble
    assert not CONTROL.search(done.said + done.trouble)


@pytest.mark.parametrize("harm", [file("persona/99.md", b"x" * 200_000_000)], ids=["huge file"])
def test_a_folder_is_met_within_bounds(harm: Harm, here: Path, place: Place) -> None:
    harm(place)
    done = run_limited("sync", "-c", str(here), folder=here.parent)
    assert (done.code, done.trouble.count("perdure: ")) == (1, 1)
    assert done.megabytes < 300
