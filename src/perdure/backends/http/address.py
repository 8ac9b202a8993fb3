"""Which addresses a server may have, and whether text sent there leaves this machine."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from perdure.backends.errors import BadParameter

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
# Clouds hand out a machine's credentials at these, to whoever asks from inside: those of Amazon,
# Alibaba, Oracle, Azure and Google that are not link-local.
_METADATA = {
    ipaddress.ip_address(each)
    for each in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd20:ce::254")
}
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
# 2852039166, 0xa9fea9fe, 127.1: addresses to the C library, names to every check before it.
_DISGUISED = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+))*\.?")

_VERSION = re.compile(r"api-version=([\w.-]{1,40})")


@dataclass(frozen=True, slots=True)
class Address:
    """A server's checked address; ``url`` has no trailing slash.

    ``version`` is that of Azure's API, which stands behind the question mark of every request.
    """

    url: str
    loopback: bool
    version: str = ""

    def without_end(self, *ends: str) -> Address:
        """The address without its last part, if somebody gave the address of one request."""
        end = next((each for each in ends if self.url.endswith(each)), "")
        return replace(self, url=self.url.removesuffix(end).rstrip("/"))


def checked_address(
    text: str,
    backend: str,
    default_port: int | None = None,
    *,
    allow_http: bool = False,
    versioned: bool = False,
) -> Address:
    """Check the ``address`` in a backend's manifest; names are not looked up here.

    http is for loopback only, unless ``allow_http``; everything else is https, so that a
    conversation is not sent in clear unasked. Where ``default_port`` is given, ``host`` and
    ``host:port`` are addresses too. ``versioned``: it may end in ``?api-version=…``.

    Raises:
        BadParameter: it is none, holds a password, is not encrypted, or is one that no server for
            models has: link-local, multicast, a cloud's metadata service.
    """
    bare = "://" not in text and default_port is not None
    try:
        parts = urlsplit(f"//{text}" if bare else text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(backend, text, str(error)) from None
    if parts.username is not None or parts.password is not None:
        raise BadParameter(
            f"backend {backend}: the address contains a user name or a password",
            next_step="write 'key: env:NAME' instead",
        )
    version = _VERSION.fullmatch(parts.query) if versioned else None
    if not host or (parts.query and version is None) or parts.fragment:
        raise _refused(backend, text, "it is not a plain web address")
    loopback = _loopback(host, backend, text)
    scheme = ("http" if loopback else "https") if bare else parts.scheme
    if scheme not in {"http", "https"}:
        raise _refused(backend, text, "it must start with http:// or https://")
    if scheme == "http" and not loopback and not allow_http:
        raise _refused(
            backend,
            text,
            "http sends everything unencrypted; only loopback may use it",
            "use https://, or allow this address with the line 'allow_http: yes'",
        )
    port = port or (default_port if bare else None)
    shown = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}{f':{port}' if port else ''}{parts.path}"
    return Address(url.rstrip("/"), loopback, version[1] if version else "")


def as_ip(text: str) -> IP | None:
    """The text as an IP address, without a scope; None for a name."""
    try:
        ip: IP = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        # IPv4 in IPv6's clothes reaches the same machine.
        inside = ip.ipv4_mapped or ip.sixtofour
        if ip in _TRANSLATED:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return inside or ip
    return ip


def serves_models(ip: IP) -> bool:
    """False for addresses that no model server has: link-local, multicast, cloud metadata."""
    return not (
        ip.is_link_local
        or ip.is_multicast
        or ip.is_unspecified
        or ip in _METADATA
        or ip in _THIS_NETWORK
        or (ip.version == 4 and ip.is_reserved)
    )


def _loopback(host: str, backend: str, text: str) -> bool:
    ip = as_ip(host)
    if ip is None:
        if _DISGUISED.fullmatch(host) or host.rstrip(".") == "metadata.google.internal":
            raise _refused(backend, text, "no model server can be there")
        return host == "localhost"
    if not serves_models(ip):
        raise _refused(backend, text, "no model server can be there")
    return ip.is_loopback


def _refused(backend: str, text: str, why: str, next_step: str = "") -> BadParameter:
    shown = re.sub(r"//.*@", "//", text)[:100]
    return BadParameter(
        f"backend {backend}: the address {shown!r} cannot be used: {why}",
        next_step=next_step or "use one like http://127.0.0.1:11434 or https://host.example",
    )
