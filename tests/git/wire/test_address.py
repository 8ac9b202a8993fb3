"""Addresses: what is one, what is none, and secrets that are split off."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.git.wire.address import Address, parse_address, shown_address, split_address
from perdure.git.wire.errors import BadAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/ana/mira.git", ("https", "", "example.org", None, "/ana/mira.git")),
        ("HTTPS://Example.ORG:8443/x", ("https", "", "example.org", 8443, "/x")),
        ("https://ana@example.org/x", ("https", "ana", "example.org", None, "/x")),
        ("https://example.org/a%20b", ("https", "", "example.org", None, "/a%20b")),
        ("http://[::1]:80/x", ("http", "", "::1", 80, "/x")),
        ("git://example.org/a%20b", ("git", "", "example.org", None, "/a b")),
        ("git://example.org/~ana/x", ("git", "", "example.org", None, "~ana/x")),
        ("ssh://git@forge:2222/ana/x.git", ("ssh", "git", "forge", 2222, "/ana/x.git")),
        ("ssh://forge/~/x.git", ("ssh", "", "forge", None, "~/x.git")),
        ("git@forge:ana/x.git", ("ssh", "git", "forge", None, "ana/x.git")),
        ("Forge:/srv/x.git", ("ssh", "", "Forge", None, "/srv/x.git")),
        ("git@[::1]:x", ("ssh", "git", "::1", None, "x")),
        ("[forge:2222]:x", ("ssh", "", "forge", 2222, "x")),
        ("/media/disk/x.git", ("file", "", "", None, "/media/disk/x.git")),
        ("file:///media/a%20b", ("file", "", "", None, "/media/a b")),
        ("file://localhost/media/x", ("file", "", "", None, "/media/x")),
        ("/media/a:b", ("file", "", "", None, "/media/a:b")),
    ],
)
def test_forms(text: str, expected: tuple[str, str, str, int | None, str]) -> None:
    found = parse_address(text)
    assert (found.scheme, found.user, found.host, found.port, found.path) == expected
    assert parse_address(found.text) == found


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ana")
    assert parse_address("./a:b/../c").path == f"{tmp_path}/c"
    assert parse_address("backup").path == f"{tmp_path}/backup"
    assert parse_address("~/x").path == "/home/ana/x"


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "a\nb", "https://example.org/x\nHost: y", "/media/\x1b[2Jx", "https://h/\u202ex",
        "ext::sh -c id", "fd::17", "http::https://x/y", "git-remote-x::y",
        "ftp://host/x", "rsync://host/x", "javascript://x/y", "file://other/x",
        "-oProxyCommand=id:x", "ssh://-oProxyCommand=id/x", "git@-x:y", "-x@host:y",
        "ssh://-x@host/y", "host:-x", "--upload-pack=id", "git://-x/y", "https://-x/y",
        "ssh://host", "https://host/", "https:///x", "https://host:0/x", "https://host:99999/x",
        "https://host:x/y", "https://ho st/x", "ssh://ho`id`st/x", "ssh://$(id)/x", "a;b:x",
        "https://host/x?y", "https://host/x#y", "ssh://[::1/x", "ssh://host/%0ax", "x" * 3000,
        "https://h/%zz?y", "ssh://us er@host/x", "ssh://ana:pw@host/x", "git://ana:pw@host/x",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(BadAddress) as caught:
        parse_address(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "shown", "user", "secret"),
    [
        ("https://ana:pw@h.org/x", "https://ana@h.org/x", "ana", "pw"),
        ("https://ana:p%40w%3A@h.org:8/x", "https://ana@h.org:8/x", "ana", "p@w:"),
        ("https://:pw@h.org/x", "https://h.org/x", "", "pw"),
        ("https://ghp_0123456789abc@h.org/x", "https://h.org/x", "", "ghp_0123456789abc"),
        ("https://glpat-0123456789@h.org/x", "https://h.org/x", "", "glpat-0123456789"),
        ("https://abc:x-oauth-basic@h.org/x", "https://h.org/x", "", "abc"),
        ("https://abc:@h.org/x", "https://h.org/x", "", "abc"),
        (f"https://{'0a' * 20}@h.org/x", "https://h.org/x", "", "0a" * 20),
    ],
)
def test_a_secret_is_split_off(text: str, shown: str, user: str, secret: str) -> None:
    address, found = split_address(text)
    assert found is not None
    assert (address.text, found.user, found.secret) == (shown, user, secret)
    assert secret not in repr(found)
    assert parse_address(text) == address


def test_no_error_repeats_a_secret() -> None:
    for text in ("https://ana:hidden@ho st/x", "https://ana:hidden@h/x?y", "ftp://a:hidden@h/x"):
        with pytest.raises(BadAddress) as caught:
            parse_address(text)
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown", "secret"),
    [
        ("https://ana:hidden@h.org/x", "https://ana@h.org/x", "hidden"),
        ("https://ana@h.org/x", "https://ana@h.org/x", None),
        ("https://ana:hid/den@h.org/x", "https://h.org/x", None),
        ("https://h.org/x?private_token=hidden", "https://h.org/x", None),
        ("ssh://ana:hidden@h.org/x", "ssh://h.org/x", None),
        ("ext::sh -c id", "ext::sh -c id", None),
        ("../x", "../x", None),
        ("/media/what? #1/ana@home.git", "/media/what? #1/ana@home.git", None),
    ],
)
def test_any_text_can_be_shown(text: str, shown: str, secret: str | None) -> None:
    found, kept = shown_address(text)
    assert (found, kept.secret if kept is not None else None) == (shown, secret)


@pytest.mark.parametrize(
    ("text", "is_loopback"),
    [
        ("http://localhost/x", True),
        ("http://a.localhost/x", True),
        ("http://127.9.9.9/x", True),
        ("http://[::1]/x", True),
        ("/media/x", True),
        ("http://127.0.0.1.example.org/x", False),
        ("http://192.168.1.2/x", False),
        ("http://localhost.example.org/x", False),
    ],
)
def test_loopback(text: str, *, is_loopback: bool) -> None:
    assert parse_address(text).is_loopback is is_loopback


def test_origins() -> None:
    assert parse_address("https://a@h.org:443/x").origin == "https://h.org"
    assert parse_address("https://[::1]:8/x").origin == "https://[::1]:8"


@given(st.text(alphabet=st.sampled_from("ab-@:/[]~.$ %0\n\x1b?"), max_size=14))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = parse_address(text)
    except BadAddress:
        return
    assert isinstance(found, Address)
    assert not found.host.startswith("-")
    assert not found.user.startswith("-")
    assert not found.path.startswith("-")
    assert (found.host + found.user + found.path).isprintable()
