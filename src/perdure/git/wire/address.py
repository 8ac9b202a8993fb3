"""Where a remote is: a URL, ssh's short form ``user@host:path``, or a path on this machine.

The forms are git's (git-clone(1), GIT URLS). Refused: ``ext::…`` and every other ``helper::…``,
which would run a program; a host, user or path that a program would take for an option; and
characters that steer a terminal or end a line.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from perdure.git.wire.errors import SAFE, BadAddress

LONGEST = 2048
"""Characters of an address."""
DEFAULT_PORTS = {"ssh": 22, "git": 9418, "http": 80, "https": 443}
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HOST = re.compile(r"[\w](?:[\w.-]*[\w])?\.?")
_USER = re.compile(r"[\w.+@-]+")
_SHORT = re.compile(r"(?:(?P<user>[^/:]*)@)?(?P<host>\[[^\]/]+\]|[^/:\[\]@]+):(?P<path>.*)")
# A token that stands where the user's name does: GitHub's and GitLab's, or a long random word.
_TOKEN = re.compile(r"(?:gh[a-z]|github_pat|glpat|gldt|glcbt|ATATT|ATCTT|hf)[_-].{8,}|\w{32,}")
_WITHOUT_MEANING = {"", "x-oauth-basic"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a remote is. It never holds a password.

    Attributes:
        text: as people write it.
        scheme: ssh, https, http, git or file.
        user: "" where none is named.
        host: without the brackets of an IPv6 address; "" for a path on this machine.
        port: None: the usual one.
        path: as the server is asked for it; for file, an absolute path.
    """

    text: str
    scheme: str
    user: str
    host: str
    port: int | None
    path: str

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        if not self.host or self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def origin(self) -> str:
        """``scheme://host``, with the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port in {None, DEFAULT_PORTS.get(self.scheme)}
        return f"{self.scheme}://{host}" + ("" if usual else f":{self.port}")


@dataclass(frozen=True, slots=True)
class UrlSecret:
    """A password or token that stood in a URL."""

    user: str
    secret: str = field(repr=False)


def parse_address(text: str) -> Address:
    """The address that a text stands for; a password in it is left out.

    Raises:
        BadAddress: it is none, or not one that perdure follows.
    """
    return split_address(text)[0]


def split_address(text: str) -> tuple[Address, UrlSecret | None]:
    """An address, and the password or token that its URL has, to be kept elsewhere.

    Raises:
        BadAddress: it is none, or not one that perdure follows.
    """
    text = text.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        raise _bad("an address is one line of printable characters")
    if _HELPER.match(text):
        helper = text.partition("::")[0]
        raise _bad(f"perdure does not follow addresses that name a program to run ({helper}::…)")
    url = _URL.fullmatch(text)
    if url is not None:
        return _from_url(url[1].lower(), url[2])
    short = _SHORT.fullmatch(text)
    if short is not None and not _is_path(text):
        return _from_short(short), None
    return _from_path(text), None


def shown_address(text: str) -> tuple[str, UrlSecret | None]:
    """An address as it may be shown, and the password or token that its URL has.

    Never raises: a text that is no address is shown without all that may be a password.
    """
    try:
        address, secret = split_address(text)
    except BadAddress:
        return re.sub(r"(?<=//).*@|\?.*", "", text, flags=re.DOTALL), None
    return (address.text if secret is not None else text), secret


def _bad(reason: str) -> BadAddress:
    return BadAddress(
        reason,
        SAFE,
        "write a URL (https://host/path, ssh://user@host/path), user@host:path, or a folder's path",
    )


def _is_path(text: str) -> bool:
    """Git's rule: a slash before the first colon makes it a path."""
    return text.startswith(("/", "./", "../", "~")) or "/" in text.partition(":")[0]


def _from_path(text: str) -> Address:
    if text.startswith("-"):
        raise _bad(f"{text!r} looks like an option")
    path = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - links stay
    return Address(path, "file", "", "", None, path)


def _from_short(found: re.Match[str]) -> Address:
    user, host, path = found["user"] or "", found["host"], found["path"]
    port = None
    if host.startswith("["):  # an IPv6 address, or host:port
        host = host[1:-1]
        if host.count(":") == 1:
            host, _, digits = host.partition(":")
            port = _port(digits)
    return _checked(found[0], "ssh", user, host, port, path)


def _from_url(scheme: str, rest: str) -> tuple[Address, UrlSecret | None]:
    if scheme not in {*DEFAULT_PORTS, "file"}:
        raise _bad(f"perdure does not speak {scheme}://")
    place, slash, path = rest.partition("/")
    path = slash + path
    if scheme == "file":
        if place not in {"", "localhost"}:
            raise _bad("a file:// address names no host: file:///path/to/folder")
        return _from_path(unquote(path)), None
    who, _, where = place.rpartition("@")
    host, port = _host_and_port(where)
    user, colon, secret = who.partition(":")
    user, secret = unquote(user), unquote(secret)
    is_web = scheme in {"http", "https"}
    if is_web and ("?" in path or "#" in path):
        raise _bad("an address of a repository has no ? and no #")
    asked = path if is_web else unquote(path)
    kept: UrlSecret | None = None
    if is_web and user and secret in _WITHOUT_MEANING and (colon or _TOKEN.fullmatch(user)):
        kept, user = UrlSecret("", user), ""
    elif secret:
        if not is_web:
            raise _bad(f"an address with {scheme}:// has no password in it: nothing would use it")
        kept = UrlSecret(user, secret)
    if not asked.strip("/"):
        raise _bad("the address names a host, but no repository there")
    shown = f"{scheme}://" + (f"{user}@" if user else "") + where + path
    if asked.startswith("/~") and scheme in {"ssh", "git"}:
        asked = asked[1:]
    return _checked(shown, scheme, user, host, port, asked), kept


def _host_and_port(where: str) -> tuple[str, int | None]:
    if where.startswith("["):
        host, bracket, rest = where[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _bad("the address's host is broken")
        return host, _port(rest[1:]) if rest[1:] else None
    host, _, digits = where.partition(":")
    return host, _port(digits) if digits else None


def _port(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits[:6]) < 65536):
        raise _bad("the address's port is not a number from 1 to 65535")
    return int(digits)


def _checked(text: str, scheme: str, user: str, host: str, port: int | None, path: str) -> Address:
    if scheme != "ssh":  # where it may be an alias of the user's own configuration
        host = host.lower()
    if not _HOST.fullmatch(host) and not _is_ipv6(host):
        raise _bad("the address's host is not the name of a machine")
    if user and (user.startswith("-") or not _USER.fullmatch(user)):
        raise _bad("the address's user is not a name")
    if not path or path.startswith("-") or not path.isprintable():
        raise _bad("the address's path is not one of a repository")
    return Address(text, scheme, user, host, port, path)


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
