"""Requests to one web server, with settings of ours: whatever a repository says counts for nothing.

TLS is always verified, by the certificates that the system trusts, or by those that the user has
named (``GIT_SSL_CAINFO``, ``http.sslCAInfo`` of their own git configuration; ``SSL_CERT_FILE``, of
which OpenSSL knows). Proxies are those of the user's own configuration and of the
environment. Nothing is taken from netrc, from cookies or from stored headers. A redirect is
followed on the same host only, and never from https to http. A name and password are sent only when
the server asks for them, and never over plain HTTP to another machine.

The standard library's client, and not urllib3 with its pool: importing that takes 60 ms, a fifth
of the time that a push may take.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote, unquote, urljoin, urlsplit

from perdure.git.wire import line
from perdure.git.wire.address import DEFAULT_PORTS, Address
from perdure.git.wire.errors import (
    SAFE,
    CutOff,
    LeadsElsewhere,
    NoRepositoryThere,
    NotAllowed,
    NotGit,
    RemoteProblem,
    RemoteSilent,
    ServerTrouble,
    SignInRefused,
    TooMuch,
    Unreachable,
    UntrustedCertificate,
    server_words,
)

if TYPE_CHECKING:
    from perdure.git.wire.credentials import Credential, Credentials

MOST_REDIRECTS = 5
MOST_DROPPED_BYTES = 16 * 1024
MOST_ERROR_BYTES = 4096
"""Of the text that comes with a refusal."""
_AGENT: Final = "git/perdure"  # some forges answer only to what begins with git/
_SAFE_IN_PATH: Final = "/%:@!$&'()*+,;=~-._"

RequestBody = bytes | Iterator[bytes] | None
"""None: a question; an iterator is sent as it comes, and cannot be sent twice."""


class Answer:
    """What a server answers: its head, and a body that is read as it comes.

    Attributes:
        status: the HTTP status.
        content_type: without parameters.
        redirect_location: where it came from in the end, "" if from where it was asked for.
        kept: the whole body, once `keep_all` was called.
    """

    def __init__(
        self, response: _Response, connection: http.client.HTTPConnection, asked: str, url: str
    ) -> None:
        self.status = response.status
        self.headers = response.headers
        self.content_type = (response.headers.get("Content-Type") or "").partition(";")[0].strip()
        self.redirect_location = url if url != asked else ""
        self.kept = b""
        body: io.RawIOBase = _Body(response, connection)
        self._body: io.BufferedIOBase = io.BufferedReader(body, 64 * 1024)
        self._response = response
        self._connection = connection

    def read(self, size: int) -> bytes:
        """That many bytes; fewer only at the end."""
        return self._body.read(size)

    def keep_all(self) -> None:
        """Read the whole body, so that the connection is free for the next request.

        Raises:
            TooMuch: it is longer than what a remote may advertise.
        """
        self.kept = self._body.read(line.MOST_ADVERTISED_BYTES + 1)
        if len(self.kept) > line.MOST_ADVERTISED_BYTES:
            self.close()
            raise line.too_many_words()
        self._body = io.BytesIO(self.kept)

    def words(self) -> str:
        """What an error's body says, if that is plain text."""
        if self.content_type != "text/plain":
            return ""
        with contextlib.suppress(RemoteProblem):
            return server_words(self._body.read(MOST_ERROR_BYTES))
        return ""

    def close(self) -> None:
        """Read no more of it. What is left is thrown away, or the connection where that is much."""
        _drop(self._response, self._connection)


class _Response(http.client.HTTPResponse):
    """The standard library's response, which would take heads and trailers without end."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(sock, debuglevel, method)
        self.received = line.Received(self.fp.detach())
        self.fp = io.BufferedReader(self.received)


class _Body(io.RawIOBase):
    """A response's body as it arrives, errors as ours."""

    def __init__(self, response: _Response, connection: http.client.HTTPConnection) -> None:
        self._response = response
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        try:
            with http_errors(self._connection.host, self._connection.port):
                data = self._response.read1(len(buffer))
        except RemoteProblem:
            self._connection.close()
            # A connection that ends with its answer has let go of it.
            self._response.close()
            raise
        self._response.received.was_body(len(data))
        if not data and len(buffer):
            # Python before 3.11.8 does not notice the end of a body whose length is known.
            self._response.close()
        buffer[: len(data)] = data
        return len(data)


class _EarlyQuestion:
    """A question that is asked in a thread of its own."""

    def __init__(self, url: str, ask: Callable[[], Answer]) -> None:
        self.url = url
        self._ask = ask
        self._found: Answer | None = None
        self._trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._ask()
        except BaseException as trouble:  # noqa: BLE001 - raised where the answer is wanted
            self._trouble = trouble

    @property
    def is_done(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def answer(self) -> Answer:
        """Wait for the answer. Raises what asking has raised."""
        self._thread.join()
        if self._found is None:
            raise self._trouble or line.cut_off()
        return self._found


class WebServer:
    """One web server, asked for one repository. Connections stay open between requests."""

    def __init__(self, address: Address, credentials: Credentials | None) -> None:
        """Ask nothing yet.

        Args:
            address: whose server it is.
            credentials: asked for a name and password where the server wants them; None: ask as a
                stranger.
        """
        self._address = address
        self._credentials = credentials
        self._signed: Credential | None = None
        self._places = {_place_of(self.url)}
        self._open: dict[str, http.client.HTTPConnection] = {}
        self._early: _EarlyQuestion | None = None

    @property
    def host(self) -> str:
        """Whose server it is."""
        return self._address.host

    @property
    def url(self) -> str:
        """The repository's URL, without a user."""
        return f"{self._address.origin}{quote(self._address.path, safe=_SAFE_IN_PATH)}"

    def ask(self, url: str, headers: Mapping[str, str], body: RequestBody) -> Answer:
        """One request, which follows redirects and signs in where that is wanted.

        What `ask_early` has asked is not asked again.

        Returns:
            An answer with status 200.

        Raises:
            LeadsElsewhere: the URL is of another server; nothing is sent there.
            RemoteProblem: anything else.
        """
        if _place_of(url) not in self._places:
            raise self._elsewhere(url)
        early, self._early = self._early, None
        if early is not None:
            answer = early.answer()
            if body is None and early.url == url:
                return answer
            answer.close()
        return self._ask(url, headers, body)

    def ask_early(self, url: str, headers: Mapping[str, str]) -> None:
        """Ask in a thread of its own. Until `ask` is called nothing else may be done here."""
        self._early = _EarlyQuestion(url, lambda: self._ask(url, headers, None))

    def _ask(self, url: str, headers: Mapping[str, str], body: RequestBody) -> Answer:
        answer = self._sent(url, headers, body)
        offers = self._credentials.offers() if self._credentials is not None else iter(())
        known = self._signed
        tried = known is not None
        while answer.status == 401:
            self._refused()
            answer.close()
            credential = self._next(answer, offers, tried=tried, body=body)
            tried, self._signed = True, credential
            answer = self._sent(url, headers, body)
        if answer.status != 200:
            with contextlib.closing(answer):
                raise self._problem(answer)
        if self._signed is not known and self._signed is not None and self._credentials is not None:
            self._credentials.accepted(self._signed)
        return answer

    def close(self) -> None:
        """Close what is open; a thread that still waits for an answer ends with the process."""
        if self._early is not None and not self._early.is_done:
            return
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _refused(self) -> None:
        if self._signed is not None and self._credentials is not None:
            self._credentials.rejected(self._signed)
        self._signed = None

    def _next(
        self, answer: Answer, offers: Iterator[Credential], *, tried: bool, body: RequestBody
    ) -> Credential:
        """The next name and password to try.

        Raises:
            SignInRefused: there is no other, or the server wants something else.
            NeedsTyping: there is none at all.
        """
        host = self._address.host
        if self._credentials is None:
            raise SignInRefused(f"{host} wants to know who is asking", SAFE)
        if "basic" not in ",".join(answer.headers.get_all("WWW-Authenticate") or []).lower():
            raise SignInRefused(
                f"{host} wants a way to sign in that perdure does not have",
                SAFE,
                "use ssh, or a server that takes tokens",
            )
        if self._address.scheme == "http" and not self._address.is_loopback:
            raise SignInRefused(
                f"{host} wants a password over http, where anyone on the way can read it",
                f"none was sent, and {SAFE}",
                "use its https address",
            )
        if body is not None and not isinstance(body, bytes):
            raise SignInRefused(
                f"{host} asks who is pushing only after it was sent something",
                SAFE,
                "use its ssh address",
            )
        credential = next(offers, None)
        if credential is None:
            raise self._credentials.none_left(tried=tried)
        return credential

    def _sent(self, url: str, headers: Mapping[str, str], body: RequestBody) -> Answer:
        """Send a request, and again to where the server says, on the same host."""
        asked = url
        for _ in range(MOST_REDIRECTS):
            response, connection = self._once(url, headers, body)
            if response.status not in {301, 302, 303, 307, 308}:
                return Answer(response, connection, asked, url)
            _drop(response, connection)
            url = self._onward(url, response.headers.get("Location") or "")
            if body is not None:
                raise LeadsElsewhere(
                    f"{self._address.host} has moved the repository", SAFE, "use its new address"
                )
        raise LeadsElsewhere(f"{self._address.host} leads in a circle", SAFE, "check the address")

    def _onward(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            here, there = _place_of(url), _place_of(target)
            has_user = "@" in urlsplit(target).netloc
        except ValueError:
            raise self._elsewhere("") from None
        upgrades = (here[0], there[0]) == ("http", "https") and here[1] == there[1]
        if not (here == there or upgrades) or has_user or not target.isprintable():
            raise self._elsewhere(target)
        self._places.add(there)
        return target

    def _elsewhere(self, url: str) -> LeadsElsewhere:
        scheme, host, _ = _place_of(url)
        where = server_words(f"{scheme}://{host or ''}", 80) if url else "no address at all"
        return LeadsElsewhere(
            f"{self._address.host} sends us on to {where}",
            f"nothing was sent there, and {SAFE}",
            "if that is right, add the remote with its new address",
        )

    def _once(
        self, url: str, headers: Mapping[str, str], body: RequestBody
    ) -> tuple[_Response, http.client.HTTPConnection]:
        """Send one request; on a connection that the server has closed meanwhile, once more."""
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc}"
        sent = {"User-Agent": _AGENT, "Pragma": "no-cache", **headers}
        if self._signed is not None:
            sent["Authorization"] = _basic(self._signed)
        again = place in self._open and (body is None or isinstance(body, bytes))
        while True:
            with http_errors(self._address.host, parts.port or DEFAULT_PORTS[parts.scheme]):
                connection = self._open.get(place)
                if connection is None or connection.sock is None:
                    connection = self._open[place] = self._connected(place)
                path = f"{parts.path}?{parts.query}" if parts.query else parts.path
                target = url if getattr(connection, "by_proxy", False) else path
                try:
                    return _exchange(connection, target, sent, body), connection
                except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                    self._open.pop(place).close()
                    if not again:
                        raise
                    again = False

    def _connected(self, place: str) -> http.client.HTTPConnection:
        parts = urlsplit(place)
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        proxy = proxy_for(place, loopback=self._address.is_loopback)
        at, by = (proxy.host, proxy.port) if proxy is not None else (host, port)
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                at, by, timeout=line.CONNECT_SECONDS, context=tls_context(place)
            )
            if proxy is not None:
                connection.set_tunnel(host, port, proxy.headers)
        else:
            connection = http.client.HTTPConnection(at, by, timeout=line.CONNECT_SECONDS)
            connection.by_proxy = proxy is not None  # type: ignore[attr-defined]
        connection.response_class = _Response
        try:
            connection.connect()
        except BaseException as error:
            connection.close()
            if proxy is not None and isinstance(error, ConnectionRefusedError | socket.gaierror):
                raise Unreachable(
                    f"your proxy does not answer at {at}, port {by}",
                    SAFE,
                    "check https_proxy in the environment, or http.proxy in your git configuration",
                ) from None
            raise
        connection.sock.settimeout(line.SILENCE_SECONDS)
        if hasattr(socket, "TCP_QUICKACK"):
            # Some servers send head and body by themselves, and the body once the head has been
            # acknowledged: by default 40 ms later.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return connection

    def _problem(self, answer: Answer) -> RemoteProblem:
        """The error that a status means."""
        host, words = self._address.host, answer.words()
        if self._signed is not None:
            # A server may repeat what it was told.
            for each in (self._signed.secret, _basic(self._signed).partition(" ")[2]):
                words = words.replace(each, "…")
        says = f": {words}" if words else ""
        match answer.status:
            case 403:
                return NotAllowed(
                    f"{host} does not allow it{says}", SAFE, "check what your token may do there"
                )
            case 404 | 410:
                return NoRepositoryThere(
                    f"there is no repository {self._address.path} on {host}, or not for you",
                    SAFE,
                    "check the address, or make the repository there first",
                )
            case 407:
                return SignInRefused("the proxy wants to know who is asking", SAFE)
            case 413:
                return TooMuch(f"{host} does not take as much at once", SAFE, "use its ssh address")
            case status if status == 429 or status >= 500:
                return ServerTrouble(
                    f"{host} cannot do it right now (HTTP {status}){says}", SAFE, "try again later"
                )
        return NotGit(
            f"{host} does not answer as git does (HTTP {answer.status})", SAFE, "check the address"
        )


def _place_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a URL. Raises ValueError where it is none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


def _basic(credential: Credential) -> str:
    pair = f"{credential.user}:{credential.secret}".encode()
    return f"Basic {b64encode(pair).decode('ascii')}"


def _drop(response: _Response, connection: http.client.HTTPConnection) -> None:
    """Make the connection free for the next request, or close it."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        if not response.isclosed() and connection.sock is not None:
            response.read(MOST_DROPPED_BYTES)
    if not response.isclosed():
        connection.close()
    response.close()


def _exchange(
    connection: http.client.HTTPConnection,
    target: str,
    headers: Mapping[str, str],
    body: RequestBody,
) -> _Response:
    method = "GET" if body is None else "POST"
    streamed = body is not None and not isinstance(body, bytes)
    if streamed:
        headers = {**headers, "Transfer-Encoding": "chunked"}
    try:
        connection.request(method, target, body, dict(headers), encode_chunked=streamed)
    except (BrokenPipeError, ConnectionResetError):
        # A server may refuse before it has read everything; what it says tells why.
        if not streamed:
            raise
    return cast("_Response", connection.getresponse())


@contextlib.contextmanager
def http_errors(server: str, port: int) -> Iterator[None]:
    """Turn what the standard library raises into errors of ours."""
    try:
        yield
    except RemoteProblem:
        raise
    except ssl.SSLCertVerificationError as error:
        raise UntrustedCertificate(
            f"the certificate of {server} is not trusted: {server_words(error.verify_message)}",
            f"nothing was sent, and {SAFE}",
            "check the address; for an authority of your own, set http.sslCAInfo in your own git "
            "configuration",
        ) from None
    except ssl.SSLError as error:
        reason = server_words(str(error.reason or "TLS"))
        raise CutOff(f"there is no safe connection to {server}: {reason}", SAFE) from None
    except TimeoutError:
        raise RemoteSilent(
            f"{server} has said nothing for {line.SILENCE_SECONDS:.0f} seconds",
            SAFE,
            "try again later",
        ) from None
    except (BrokenPipeError, ConnectionResetError, http.client.IncompleteRead):
        raise line.cut_off() from None
    except (OSError, UnicodeError) as error:
        if isinstance(error, http.client.RemoteDisconnected):
            raise line.cut_off() from None
        raise line.unreachable(server, port, error) from None
    except (http.client.HTTPException, ValueError) as error:
        raise NotGit(
            f"{server} does not answer as a web server does ({type(error).__name__})",
            SAFE,
            "check the address",
        ) from None


class Proxy:
    """A proxy: where, and what it is told about who asks."""

    def __init__(self, text: str) -> None:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme != "http" or not parts.hostname:
            raise Unreachable(
                "your proxy is none that perdure can use", SAFE, "use an http:// proxy, or none"
            )
        self.host, self.port = parts.hostname, port or 1080
        self.headers: dict[str, str] = {}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self.headers["Proxy-Authorization"] = f"Basic {b64encode(pair).decode('ascii')}"


def proxy_for(place: str, *, loopback: bool) -> Proxy | None:
    """The proxy that the user wants for a server: of their git configuration, or the environment.

    Raises:
        Unreachable: it is of a kind that perdure cannot use.
    """
    from urllib import request

    parts = urlsplit(place)
    found = request.getproxies_environment()
    chosen = user_setting("proxy", place)
    if chosen is None:
        chosen = found.get(parts.scheme) or found.get("all") or ""
    if not chosen or loopback or request.proxy_bypass(parts.netloc):
        return None
    return Proxy(chosen)


def tls_context(place: str) -> ssl.SSLContext:
    """TLS that verifies: by the user's own authority where they have named one, as git does."""
    chosen = os.environ.get("GIT_SSL_CAINFO") or user_setting("sslCAInfo", place)
    if not chosen:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = ssl.create_default_context(cafile=os.path.expanduser(chosen))  # noqa: PTH111
    except (OSError, ssl.SSLError):
        raise UntrustedCertificate(
            f"the file of trusted certificates cannot be read: {chosen}",
            SAFE,
            "correct GIT_SSL_CAINFO, or http.sslCAInfo in your git configuration",
        ) from None
    # What curl asks of a chain. Python 3.13 on is stricter: it would refuse an authority as
    # `openssl req -x509` makes it, which git trusts.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def user_setting(name: str, place: str) -> str | None:
    """A setting ``http.NAME`` of the user's own git configuration, for this server if there is one.

    A section for a URL counts where scheme and host (and port) are the same, whatever its path.
    """
    from perdure.git.config.user import read_user_config

    config = read_user_config()
    found: str | None = None
    for section in config.sections():
        if section[0].lower() != b"http":
            continue
        own = len(section) > 1
        if own and not _is_of(section[1].decode("utf-8", "replace"), place):
            continue
        with contextlib.suppress(KeyError):
            value = config.get(section, name.encode()).decode("utf-8", "replace")
            if own:
                return value
            found = value
    return found


def _is_of(url: str, place: str) -> bool:
    here, there = urlsplit(url), urlsplit(place)
    with contextlib.suppress(ValueError):
        return (here.scheme, here.hostname, here.port or DEFAULT_PORTS.get(here.scheme)) == (
            there.scheme,
            there.hostname,
            there.port or DEFAULT_PORTS.get(there.scheme),
        )
    return False
