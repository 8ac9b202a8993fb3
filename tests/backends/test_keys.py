from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import keyring.errors
import pytest
from keyring.compat.properties import classproperty

from perdure.backends import keys
from perdure.backends.errors import AuthenticationFailed, BadParameter
from perdure.system_keyring import NoKeyring, keyring_ready, read_secret


class Memory(keyring.backend.KeyringBackend):
    priority = 1

    def __init__(self, *, locked: bool = False) -> None:
        self.locked = locked
        self.trouble: type[Exception] = keyring.errors.KeyringLocked
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise self.trouble("the secret is hidden")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise keyring.errors.PasswordSetError(f"cannot store {password}")
        self.kept[service, username] = password


class Unfit(Memory):
    # As keyring has it: asked of the class too, and this one is passed over when one is chosen.
    @classproperty
    def priority(cls) -> float:  # noqa: N805
        raise RuntimeError("no bus")


NONE: dict[str, Callable[[], keyring.backend.KeyringBackend]] = {
    "fails": keyring.backends.fail.Keyring,
    "forgets": keyring.backends.null.Keyring,
    "chain of none": keyring.backends.chainer.ChainerBackend,
    "unfit": Unfit,
}


@pytest.fixture
def memory() -> Iterator[Memory]:
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_loaded", set())


def test_a_variable_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRA_KEY", " s3cret-of-mira\n")
    assert keys.loaded_secrets() == frozenset()
    assert keys.resolve("env:MIRA_KEY", "far") == "s3cret-of-mira"
    assert keys.loaded_secrets() == {"s3cret-of-mira"}
    assert keys.resolve("", "far") == ""


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("MIRA_KEY", raising=False)
    else:
        monkeypatch.setenv("MIRA_KEY", value)
    with pytest.raises(AuthenticationFailed, match="MIRA_KEY"):
        keys.resolve("env:MIRA_KEY", "far")
    assert keys.loaded_secrets() == frozenset()


def test_what_cannot_be_a_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRA_KEY", "first\nsecond")
    with pytest.raises(AuthenticationFailed) as caught:
        keys.resolve("env:MIRA_KEY", "far")
    assert "first" not in str(caught.value)


def test_an_entry_of_the_keyring(memory: Memory) -> None:
    memory.set_password("perdure", "a/b", "kept-apart")
    assert keys.resolve("keyring:perdure/a/b", "far") == "kept-apart"
    assert keys.loaded_secrets() == {"kept-apart"}
    with pytest.raises(AuthenticationFailed, match="keyring set perdure other"):
        keys.resolve("keyring:perdure/other", "far")


def test_a_locked_keyring_and_none_at_all_name_the_way_out(memory: Memory) -> None:
    memory.locked = True
    # The desktop's bus has errors of its own, which a keyring lets through.
    for trouble in (keyring.errors.KeyringLocked, RuntimeError):
        memory.trouble = trouble
        with pytest.raises(AuthenticationFailed, match=r"Unlock.*env:NAME") as caught:
            keys.resolve("keyring:perdure/me", "far")
        assert "hidden" not in str(caught.value)
    keyring.set_keyring(NONE["fails"]())
    with pytest.raises(AuthenticationFailed, match=r"this machine has none.*env:NAME"):
        keys.resolve("keyring:perdure/me", "far")


@pytest.mark.parametrize(
    "text", ["sk-abcdefghijklmnopqrst", "env:", "env:A B", "keyring:x", "ENV:A"]
)
def test_a_secret_in_the_place_of_a_reference_is_refused_unseen(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        keys.resolve(text, "far")
    assert text not in str(caught.value).replace("env:NAME", "")


def test_the_keyring_is_imported_by_who_needs_it() -> None:
    code = (
        "import sys, os; from perdure.backends import keys; os.environ['K'] = 'v'; "
        "keys.resolve('env:K', 'b'); print('keyring' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_stored_key_is_found_again_by_its_reference(memory: Memory) -> None:
    assert keyring_ready()
    reference = keys.store("perdure", "anthropic/work", " kept-apart\n")
    assert reference == "keyring:perdure/anthropic/work"
    assert memory.kept == {("perdure", "anthropic/work"): "kept-apart"}
    assert keys.loaded_secrets() == {"kept-apart"}
    assert keys.resolve(reference, "far") == "kept-apart"


@pytest.mark.parametrize("none", NONE)
def test_without_a_keyring_nothing_is_stored(
    memory: Memory, none: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = [NONE["fails"]()]
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: nobody)
    keyring.set_keyring(NONE[none]())
    assert not keyring_ready()
    with pytest.raises(AuthenticationFailed, match=r"no keyring.*env:NAME") as caught:
        keys.store("perdure", "me", "kept-apart")
    assert "kept-apart" not in str(caught.value)


class Forgetful(Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password[:4]


def test_a_keyring_that_refuses_or_loses_a_key_says_so(memory: Memory) -> None:
    memory.locked = True
    with pytest.raises(AuthenticationFailed, match=r"PasswordSetError.*env:NAME") as caught:
        keys.store("perdure", "me", "kept-apart")
    assert "kept-apart" not in str(caught.value)
    # What a keyring says about it may hold the key, so it is masked all the same.
    assert keys.loaded_secrets() == {"kept-apart"}
    keyring.set_keyring(Forgetful())
    with pytest.raises(AuthenticationFailed, match="did not keep"):
        keys.store("perdure", "me", "kept-apart")


@pytest.mark.parametrize(("service", "user"), [("a/b", "c"), ("a b", "c"), ("", "c"), ("a", "")])
def test_names_that_make_no_reference_are_refused(memory: Memory, service: str, user: str) -> None:
    with pytest.raises(BadParameter):
        keys.store(service, user, "kept-apart")
    assert memory.kept == {}


@pytest.mark.parametrize("secret", ["", " ", "two\nlines", "schlüssel"])
def test_only_a_key_is_stored(memory: Memory, secret: str) -> None:
    with pytest.raises(AuthenticationFailed, match="not a key"):
        keys.store("perdure", "me", secret)
    assert memory.kept == {}
    assert keys.loaded_secrets() == frozenset()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system has a keyring")
def test_a_keyring_is_looked_for_only_where_there_may_be_one(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert not keyring_ready()
    with pytest.raises(NoKeyring):
        read_secret("perdure", "anybody")
    for sign in ("bus", "python_keyring/keyringrc.cfg", "other-1.0.dist-info/entry_points.txt"):
        file = tmp_path / sign
        file.parent.mkdir(exist_ok=True)
        file.write_text("[keyring.backends]\nother = other\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(tmp_path)
            assert keyring_ready()
        file.unlink()
        assert not keyring_ready()
