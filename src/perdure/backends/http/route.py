"""The route to one server: its name is resolved and checked here, then connected to as checked.

A look-up of its own for each connection could give another address than the one that was checked
(DNS rebinding). So a client of httpx or httpx2 is given the address itself, while TLS still proves
the name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from perdure.backends.errors import BadParameter, DriverMissing, Unreachable
from perdure.backends.http.address import Address, as_ip, serves_models
from perdure.backends.http.errors import lost_connection

_MOST_ADDRESSES = 8


async def look_up(host: str, port: int) -> list[str]:
    """A name's IP addresses, best first. Raises OSError, UnicodeError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Route:
    """The route to one backend's server."""

    def __init__(self, address: Address, name: str, connect: float) -> None:
        """``name`` is the backend's; ``connect`` is in seconds. Raises DriverMissing."""
        parts = urlsplit(address.url)
        self._address = address
        self._name = name
        self._connect = connect
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._proxy = None if address.loopback else _proxy(parts.scheme, self._host)
        # A proxy does the looking up itself, and is the user's own choice.
        self._named = as_ip(self._host) is None and self._proxy is None
        self._checked = ""
        self._looking = asyncio.Lock()

    def settings(self, http: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx and httpx2 are alike
        """Keyword arguments for a client of ``http``: httpx or httpx2."""
        loopback = self._address.loopback
        return {
            "follow_redirects": False,
            # Proxies of the environment are for other machines; what else is in it, for others.
            "trust_env": False,
            "proxy": self._proxy,
            # Without TLS, 40 ms are not spent on reading certificates: this one trusts none.
            "verify": http.create_ssl_context(trust_env=not loopback)
            if self._address.url.startswith("https:")
            else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # The rest is timed above, by what it is.
            "timeout": http.Timeout(None, connect=self._connect),
        }

    async def pin(self, request: Any) -> None:  # noqa: ANN401 - a request of either library
        """Send ``request`` to the checked address, keeping the name for ``Host`` and TLS.

        Raises:
            BadParameter: the name leads where no server for models is.
            Unreachable: nobody knows the name.
            TimedOut: looking it up, or connecting, takes too long.
        """
        if not self._named:
            return
        async with self._looking:
            if not self._checked:
                self._checked = await self._found()
        name = request.url.raw_host.decode("ascii")
        request.extensions = {**request.extensions, "sni_hostname": name}
        request.url = request.url.copy_with(host=self._checked)

    def forget(self) -> None:
        """Resolve the name again for the next request: the server may have moved."""
        self._checked = ""

    async def _found(self) -> str:
        try:
            async with asyncio.timeout(self._connect):
                found = await look_up(self._host, self._port)
                self._check(found)
                return await self._answering(found[:_MOST_ADDRESSES])
        except TimeoutError as error:
            raise lost_connection(error, self._name, self._address.url, heard=False) from error
        except (OSError, UnicodeError) as error:
            raise Unreachable(
                f"{self._name} at {self._address.url} cannot be reached: the name {self._host} "
                "is unknown",
                next_step="check the manifest's address, and the network",
            ) from error

    def _check(self, found: list[str]) -> None:
        for text in found:
            ip = as_ip(text)
            if ip is None or not serves_models(ip):
                raise BadParameter(
                    f"backend {self._name}: the name {self._host} leads to {text}, where no model "
                    "server can be",
                    next_step="check the manifest's address",
                )
            # Else a hosts file could send a conversation away in clear, unasked.
            if self._address.loopback and not ip.is_loopback:
                raise BadParameter(
                    f"backend {self._name}: {self._host} leads to {text}, another machine",
                    next_step="write 127.0.0.1 in the manifest's address",
                )

    async def _answering(self, found: list[str]) -> str:
        """The address that accepts a connection first: often one of two kinds is unreachable."""
        if len(found) == 1:
            return found[0]

        async def attempt(ip: str) -> str:
            _, writer = await asyncio.open_connection(ip, self._port)
            writer.close()
            return ip

        attempts = [asyncio.ensure_future(attempt(ip)) for ip in found]
        try:
            for first in asyncio.as_completed(attempts):
                try:
                    return await first
                except OSError:
                    continue
        finally:
            for each in attempts:
                each.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)
        # None: the request itself says why.
        return found[0]


def _proxy(scheme: str, host: str) -> str | None:
    known = getproxies()
    proxy = known.get(scheme) or known.get("all")
    if not proxy or proxy_bypass(host):
        return None
    if proxy.startswith("socks") and find_spec("socksio") is None:
        raise DriverMissing(
            "the proxy set in the environment uses SOCKS, which needs the package socksio",
            next_step="pip install socksio, or set another proxy",
        )
    return proxy if "://" in proxy else f"http://{proxy}"
