"""`perdure backend add` and `confirm`, as a person and as a script use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import REPLY, ApiServer
from tests.cli.conftest import Perdure
from tests.cli.terminal import Hidden, on_terminal
from tests.conftest import assert_sound, git

KEY = "typed-by-hand-0123456789"


@pytest.fixture
def mira(perdure: Perdure, own_home: Path) -> Path:
    assert perdure("new", "Mira", "--template", "blank", "--user", "Ana").returncode == 0
    return own_home / "companions" / "mira"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture
def file_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keyring.json"
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.cli.file_keyring.Keyring")
    monkeypatch.setenv("FILE_KEYRING", str(path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return path


def test_a_person_is_asked_for_all_of_it(mira: Path, server: ApiServer, tmp_path: Path) -> None:
    before = (mira / "companion.yaml").read_text()
    done = on_terminal(
        ["backend", "add", "openai"],
        [
            ("Its name [openai]:", "house"),
            ("Address of the server [https://api.openai.com/v1]:", server.address),
            ("Which model", "2"),
            ("Where should it go", "first"),
        ],
        tmp_path,
    )
    assert done.code == 0, done.screen
    assert "1  tiny  window 4096" in done.screen
    assert REPLY in done.screen
    assert "the backend read 12" in done.screen
    assert "leave this machine" not in done.screen
    manifest = (mira / "backends" / "house.yaml").read_text()
    assert manifest == f"driver: openai\nmodel: big\naddress: {server.address}\n"
    after = (mira / "companion.yaml").read_text()
    assert after == before.replace("[rehearsal]", "[house, rehearsal]")
    assert git(mira, "log", "-1", "--format=%s").strip() == "backend: add house"
    assert_sound(mira)


def test_a_typed_key_goes_into_the_keyring_and_nowhere_else(
    mira: Path, server: ApiServer, file_keyring: Path, tmp_path: Path
) -> None:
    # No loopback server is asked for a key; Anthropic's address is never reached here: the check
    # is left out, and the list of models is not asked for, as the model is named.
    done = on_terminal(
        ["backend", "add", "anthropic", "--model", "claude", "--no-check"],
        [
            ("Its name", ""),
            ("Address", ""),
            ("Key:", Hidden(KEY)),
            ("Where should it go", ""),
        ],
        tmp_path,
    )
    assert done.code == 0, done.screen
    assert "Conversations will leave this machine" in done.screen
    assert "api.anthropic.com" in done.screen
    assert KEY not in done.screen
    assert json.loads(file_keyring.read_text()) == {"perdure/anthropic": KEY}
    assert "key: keyring:perdure/anthropic\n" in (mira / "backends/anthropic.yaml").read_text()
    assert KEY not in git(mira, "log", "-p")


def test_without_a_keyring_the_variable_is_explained(
    mira: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("MY_KEY", KEY)
    done = on_terminal(
        ["backend", "add", "anthropic", "--model", "claude", "--no-check", "--name", "far"],
        [
            ("Address", ""),
            ("Key:", Hidden(KEY)),
            ("Key:", Hidden("env:MY_KEY")),
            ("Where should it go", "last"),
        ],
        tmp_path,
    )
    assert done.code == 0, done.screen
    assert "has no keyring" in done.screen
    assert "answer env:ANTHROPIC_API_KEY here" in done.screen
    assert KEY not in done.screen
    assert "key: env:MY_KEY\n" in (mira / "backends" / "far.yaml").read_text()


def test_a_failed_check_asks_and_ctrl_c_changes_nothing(mira: Path, tmp_path: Path) -> None:
    words = ["backend", "add", "openai", "--name", "far", "--model", "tiny", "--window", "4096"]
    with ApiServer(status=401) as refusing:
        words += ["--address", refusing.address]
        done = on_terminal(words, [("Add it anyway?", "n")], tmp_path)
        assert done.code == 1
        assert "wrong key" in done.screen
        assert not (mira / "backends" / "far.yaml").exists()
        done = on_terminal(words, [("Add it anyway? [y/N]: ", "^C")], tmp_path)
        assert done.code == 1
        assert "Nothing was added." in done.screen
        assert git(mira, "status", "--porcelain") == ""
        assert git(mira, "rev-list", "--count", "HEAD").strip() == "1"
        answers = [("Add it anyway?", "y"), ("Where should it go", "last")]
        assert on_terminal(words, answers, tmp_path).code == 0
    assert (mira / "backends" / "far.yaml").exists()


def test_ctrl_c_ends_a_check_that_hangs(mira: Path, tmp_path: Path) -> None:
    with ApiServer(stalls=True) as silent:
        words = ["backend", "add", "openai", "--name", "far", "--model", "tiny", "--window", "4096"]
        words += ["--address", silent.address]
        done = on_terminal(words, [("Asking far for one short sentence", "^C")], tmp_path)
    assert done.code == 1
    assert "Traceback" not in done.screen
    assert "Nothing was added." in done.screen
    assert git(mira, "rev-list", "--count", "HEAD").strip() == "1"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["openai", "--address", "http://127.0.0.1:9/v1"], "--model NAME"),
        (["embedded"], "--model NAME"),
        (["anthropic", "--model", "claude"], "--key env:NAME"),
        (["openai", "--model", "gpt"], "--key env:NAME"),
    ],
)
def test_a_script_is_never_asked(
    perdure: Perdure, mira: Path, words: list[str], option: str
) -> None:
    done = perdure("backend", "add", *words)
    assert done.returncode == 2
    assert option in done.stderr
    assert git(mira, "rev-list", "--count", "HEAD").strip() == "1"


def test_a_script_adds_with_json(
    perdure: Perdure, mira: Path, server: ApiServer, file_keyring: Path
) -> None:
    words = ("--address", server.address, "--model", "tiny", "--key", "-", "--first", "--json")
    done = perdure("backend", "add", "openai", *words, stdin=f"{KEY}\n")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["name"], told["order"], told["hosted"]) == ("openai", 1, False)
    assert told["key"] == "keyring:perdure/openai"
    assert told["check"]["reply"] == REPLY
    assert told["check"]["prompt_tokens_reported"] == 12
    assert {key for _, key in server.asked} == {f"Bearer {KEY}"}
    assert KEY not in done.stdout + done.stderr
    spoken = perdure("say", "Hi.")
    assert (spoken.returncode, spoken.stdout.strip()) == (0, REPLY)


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "a b", "", "rehearsal"])
def test_a_name_that_cannot_be_is_refused(perdure: Perdure, mira: Path, name: str) -> None:
    words = ("--model", "tiny", "--no-check", "--name", name)
    done = perdure("backend", "add", "ollama", *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert git(mira, "status", "--porcelain") == ""


def test_a_clone_confirms_before_it_speaks(
    perdure: Perdure, mira: Path, server: ApiServer, own_home: Path, tmp_path: Path
) -> None:
    words = ("--address", server.address, "--model", "tiny", "--first")
    assert perdure("backend", "add", "openai", *words).returncode == 0
    there = own_home / "companions" / "away"
    git(tmp_path, "clone", "-q", str(mira), str(there))
    server.asked.clear()
    here = ("-c", str(there))
    rows = json.loads(perdure(*here, "backend", "list", "--json").stdout)
    assert [row["state"] for row in rows if row["name"] == "openai"] == ["unconfirmed"]
    for act in ("check", "pin"):
        refused = perdure(*here, "backend", act, "openai")
        assert refused.returncode == 1
        assert "perdure backend confirm openai" in refused.stderr
    for more in (["openai"], [], ["--yes"]):
        refused = perdure(*here, "backend", "confirm", *more)
        assert refused.returncode == 2
        assert "--yes" in refused.stderr
    assert server.asked == []
    done = on_terminal(
        [*here, "backend", "confirm"], [("Use openai on this machine?", "n")], tmp_path
    )
    assert done.code == 0
    assert "openai stays unused" in done.screen
    done = on_terminal(
        [*here, "backend", "confirm", "openai"], [("Use openai on this machine?", "y")], tmp_path
    )
    assert done.code == 0
    assert "backend: add openai" in done.screen
    assert "Ana" in done.screen
    assert server.asked == []
    spoken = perdure(*here, "say", "Hi.")
    assert (spoken.returncode, spoken.stdout.strip()) == (0, REPLY)


def test_scripts_confirm_with_yes(
    perdure: Perdure, mira: Path, server: ApiServer, tmp_path: Path
) -> None:
    words = ("--address", server.address, "--model", "tiny")
    assert perdure("backend", "add", "openai", *words).returncode == 0
    git(tmp_path, "clone", "-q", str(mira), "away")
    here = ("-c", str(tmp_path / "away"))
    done = perdure(*here, "backend", "confirm", "--all", "--yes", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert [(each["name"], each["confirmed"]) for each in told] == [("openai", True)]
    assert told[0]["host"] in server.address
    assert json.loads(perdure(*here, "backend", "confirm", "--all", "--yes", "--json").stdout) == []
    unknown = perdure(*here, "backend", "confirm", "nobody", "--yes")
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr


def test_list_tells_each_state(perdure: Perdure, mira: Path, server: ApiServer) -> None:
    with ApiServer(status=401) as refusing:
        for name, address in (("up", server.address), ("shut", refusing.address)):
            words = ("--address", address, "--model", "tiny", "--name", name, "--no-check")
            assert perdure("backend", "add", "openai", *words).returncode == 0
        claude = ("--model", "claude", "--key", "env:NO_SUCH_KEY", "--no-check")
        assert perdure("backend", "add", "anthropic", *claude).returncode == 0
        (mira / "backends" / "bad.yaml").write_text("driver: openai\nmodel: [\n")
        rows = json.loads(perdure("backend", "list", "--json").stdout)
    states = {row["name"]: row.get("state") for row in rows}
    assert states["up"] == "reachable"
    assert states["shut"] == "refused"
    assert states["anthropic"] == "no key"
    bad = next(row for row in rows if row["name"] == "bad")
    assert bad["state"] == "broken"
    assert "backends/bad.yaml:3:" in bad["problem"]
    assert server.talks == 0


def test_a_hand_edit_with_comments_is_what_is_checked_and_stays(
    perdure: Perdure, mira: Path, server: ApiServer
) -> None:
    text = f"# at home\ndriver: openai\nmodel: tiny # small\naddress: {server.address}\n"
    perdure("backend", "list", "--offline")  # the folder's record begins
    (mira / "backends" / "hand.yaml").write_text(text)
    rows = json.loads(perdure("backend", "list", "--json").stdout)
    row = next(row for row in rows if row["name"] == "hand")
    assert (row["state"], row["edited"]) == ("reachable", True)
    checked = perdure("backend", "check", "hand")
    assert checked.returncode == 0, checked.stderr
    assert "was committed on its own" in checked.stderr
    assert perdure("backend", "use", "hand", "rehearsal").returncode == 0
    assert (mira / "backends" / "hand.yaml").read_text() == text
    assert text in perdure("backend", "show", "hand").stdout
    assert_sound(mira)
