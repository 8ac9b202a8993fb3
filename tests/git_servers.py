"""Real git servers on this machine, for the time of a test: git daemon, git http-backend, sshd.

Each serves the bare repositories of one folder. A fixture that cannot have its server says that
the test was skipped. All that is started ends with the test.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import http.server
import io
import os
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

USER, PASSWORD = "ana", "letmein"
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


def bare_repository(folder: Path, name: str = "mira.git", *, branch: str = "main") -> Path:
    """A new bare repository that takes pushes, and no forced ones."""
    path = folder / name
    subprocess.run(["git", "init", "-q", "--bare", f"--initial-branch={branch}", path], check=True)
    for setting in ("receive.denyNonFastForwards", "http.receivepack"):
        subprocess.run(["git", "-C", path, "config", setting, "true"], check=True)
    return path


@dataclass
class GitServer:
    """A server that runs.

    Attributes:
        folder: its repositories lie here.
        url: of the folder; a repository's is ``f"{url}/mira.git"``.
        port: 0 for ssh.
        requests: of a web server: method, path and whether a password came, one line each.
        trouble: of a web server: statuses to answer with before anything else.
        kill: kills the programs that answer at this moment.
    """

    folder: Path
    url: str
    port: int = 0
    requests: list[str] = field(default_factory=list)
    trouble: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    kill: Callable[[], None] = lambda: None


class _Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


@contextlib.contextmanager
def threads(server: socketserver.TCPServer) -> Iterator[int]:
    """A server in a thread; its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Children:
    """Processes of a server, which end with it."""

    def __init__(self) -> None:
        self._known: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        words: list[str],
        *,
        stdin: int | IO[bytes],
        stdout: int | IO[bytes],
        env: dict[str, str],
    ) -> subprocess.Popen[bytes]:
        """A process in a session of its own."""
        process = subprocess.Popen(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
        )
        self._known.append(process)
        return process

    def kill(self) -> None:
        """Kill what runs; whoever waits for it is told."""
        for process in self._known:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill what is left."""
        self.kill()
        for process in self._known:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def _need(program: str) -> None:
    """Skip the test where git came without one of its programs."""
    place = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    if not (Path(place.stdout.strip()) / program).exists():
        pytest.skip(f"{program} is not installed")


@contextlib.contextmanager
def daemon_server(folder: Path) -> Iterator[GitServer]:
    """``git daemon`` behind a socket; each connection has a process, as by inetd."""
    _need("git-daemon")
    children = Children()
    words = [
        "git", "daemon", "--inetd", f"--base-path={folder}", "--export-all",
        "--enable=receive-pack", "--informative-errors",
    ]  # fmt: skip

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            fd = self.request.fileno()
            children.start(words, stdin=fd, stdout=fd, env=dict(os.environ)).wait()

    try:
        with threads(_Threads(("127.0.0.1", 0), Handler)) as port:
            yield GitServer(folder, f"git://127.0.0.1:{port}", port, kill=children.kill)
    finally:
        children.end()


@contextlib.contextmanager
def web_server(
    folder: Path,
    *,
    context: ssl.SSLContext | None = None,
    password: bool = False,
    host: str = "127.0.0.1",
) -> Iterator[GitServer]:
    """``git http-backend`` behind a web server.

    Args:
        folder: of the repositories.
        context: serve https by it.
        password: whether `USER` and `PASSWORD` are asked for.
        host: of the URL.
    """
    _need("git-http-backend")
    children = Children()
    state = GitServer(folder, "")

    class Handler(_Backend):
        server_state = state
        wanted = f"{USER}:{PASSWORD}" if password else ""
        processes = children

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    try:
        with threads(server) as port:
            state.port = port
            state.url = f"http{'s' if context else ''}://{host}:{port}"
            yield state
    finally:
        children.end()


class _Backend(http.server.BaseHTTPRequestHandler):
    """A bridge to the CGI program, which streams both ways."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as web servers do
    server_state: GitServer
    wanted: str
    processes: Children

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        given = self.headers.get("Authorization", "")
        state = self.server_state
        state.requests.append(f"{self.command} {self.path} {'signed' if given else 'plain'}")
        if state.trouble:
            status, headers, body = state.trouble.pop(0)
            self._plain(status, headers, body)
            return
        expected = base64.b64encode(self.wanted.encode()).decode()
        if self.wanted and given != f"Basic {expected}":
            self._plain(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"who are you?\n")
            return
        self._run()

    def _plain(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._drain()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _pieces(self) -> Iterator[bytes]:
        """The request's body."""
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            while size := int(self.rfile.readline().strip() or b"0", 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (data := self.rfile.read(min(left, 65536))):
            left -= len(data)
            yield data

    def _drain(self) -> None:
        for _ in self._pieces():
            pass

    def _run(self) -> None:
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server_state.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": USER,
            "REMOTE_ADDR": "127.0.0.1",
        }
        process = self.processes.start(
            ["git", "http-backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        assert process.stdin
        assert process.stdout
        feeder = threading.Thread(target=self._feed, args=[process.stdin], daemon=True)
        feeder.start()
        self._hand_on(process.stdout)
        feeder.join()
        process.wait()

    def _feed(self, stdin: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for data in self._pieces():
                stdin.write(data)
        with contextlib.suppress(OSError):
            stdin.close()

    def _hand_on(self, stdout: IO[bytes]) -> None:
        status, headers = 200, []
        while line := stdout.readline().strip():
            name, _, value = line.decode().partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        assert isinstance(stdout, io.BufferedReader)
        while data := stdout.read1():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own, and a server's certificate by it."""

    file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """For ``localhost`` and 127.0.0.1, made with the openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    return make_authority(tmp_path_factory.mktemp("authority"))


def make_authority(place: Path) -> Authority:
    """An authority whose files are in an empty folder."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=place, check=True, capture_output=True)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    openssl("req", "-x509", *new, "-subj", "/CN=test", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "-subj", "/CN=localhost", "-keyout", "tls.key", "-out", "tls.csr")
    (place / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl(
        "x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "2", "-extfile", "names", "-out", "tls.pem",
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "tls.pem", place / "tls.key")
    return Authority(place / "ca.pem", context)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder whose repositories the servers of this test serve."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def git_daemon(served: Path) -> Iterator[GitServer]:
    """``git daemon`` on this machine."""
    with daemon_server(served) as server:
        yield server


@pytest.fixture
def git_http(served: Path) -> Iterator[GitServer]:
    """``git http-backend`` over http, for everyone."""
    with web_server(served) as server:
        yield server


@pytest.fixture
def git_http_password(served: Path) -> Iterator[GitServer]:
    """The same for `USER` with `PASSWORD` alone."""
    with web_server(served, password=True) as server:
        yield server


@pytest.fixture
def git_https(
    served: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GitServer]:
    """The same over TLS, whose authority the user trusts."""
    monkeypatch.setenv("GIT_SSL_CAINFO", str(authority.file))
    with web_server(served, context=authority.context, password=True, host="localhost") as server:
        yield server


@dataclass
class SshServer(GitServer):
    """sshd behind ``ProxyCommand``: there is no port.

    Attributes:
        config: the user's ssh configuration.
        known_hosts: the host keys that the user knows.
        host_key: the server's key, in a line for `known_hosts`.
        key: the user's own private key.
        authorised: the keys that the server lets in.
    """

    config: Path = Path()
    known_hosts: Path = Path()
    host_key: str = ""
    key: Path = Path()
    authorised: Path = Path()


@pytest.fixture
def git_ssh(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshServer:
    """sshd, started by ssh for each connection, with a key; the host is called ``forge``."""
    if not Path(SSHD).is_file() or shutil.which("ssh") is None:
        pytest.skip("sshd is not installed (Debian: openssh-server)")
    server = ssh_server(served, tmp_path / "ssh")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {server.config}")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return server


def ssh_server(served: Path, place: Path) -> SshServer:
    """The same; its files are in a new folder, the user's configuration among them."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    place.mkdir()
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name], check=True
        )
    shutil.copy(place / "user.pub", place / "authorised")
    host_key = f"forge {' '.join((place / 'host.pub').read_text().split()[:2])}\n"
    (place / "known_hosts").write_text(host_key)
    (place / "sshd_config").write_text(
        f"HostKey {place}/host\nAuthorizedKeysFile {place}/authorised\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin yes\nAcceptEnv GIT_PROTOCOL\nPidFile none\n"
        # bash reads ~/.bashrc in the first shell of a login by ssh: whatever this machine's says.
        "SetEnv SHLVL=1\n"
    )
    config = place / "config"
    config.write_text(
        f"Host forge\n  ProxyCommand {SSHD} -i -f {place}/sshd_config -E {place}/log\n"
        f"  User {getpass.getuser()}\n  IdentityFile {place}/user\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {place}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
    )
    return SshServer(
        served,
        f"ssh://forge{served}",
        config=config,
        known_hosts=place / "known_hosts",
        host_key=host_key,
        key=place / "user",
        authorised=place / "authorised",
    )


@pytest.fixture
def gitolite(git_ssh: SshServer, tmp_path: Path) -> SshServer:
    """Gitolite behind the same sshd: its repository ``testing`` is for everyone."""
    shell = Path("/usr/share/gitolite3/gitolite-shell")
    if shutil.which("gitolite") is None or not shell.is_file():
        pytest.skip("gitolite is not installed (Debian: gitolite3)")
    home = tmp_path / "gitolite"
    home.mkdir()
    env = {**os.environ, "HOME": str(home)}
    subprocess.run(["gitolite", "setup", "-a", "admin"], env=env, check=True, capture_output=True)
    key = git_ssh.authorised.read_text()
    git_ssh.authorised.write_text(f'command="HOME={home} {shell} ana",restrict {key}')
    git_ssh.folder, git_ssh.url = home / "repositories", "forge:"
    return git_ssh


@dataclass
class CutProxy:
    """A relay to a port of this machine that stops after some bytes.

    Attributes:
        port: connect here.
        upward, downward: bytes that still pass to the server and from it; None: all.
        passed: bytes that have passed, both ways together.
        at_cut: called when it is cut.
    """

    port: int
    upward: int | None = None
    downward: int | None = None
    passed: int = 0
    at_cut: Callable[[], None] = lambda: None


@contextlib.contextmanager
def relay(target: int) -> Iterator[CutProxy]:
    """A relay to a port; set ``upward`` or ``downward`` to have it cut."""
    state = CutProxy(0)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", target)) as far:
                _relay(self.request, far, state)

    with threads(_Threads(("127.0.0.1", 0), Handler)) as port:
        state.port = port
        yield state


@pytest.fixture
def cut_proxy() -> Iterator[Callable[[int], CutProxy]]:
    """Makes a relay to a port."""
    with contextlib.ExitStack() as stack:
        yield lambda target: stack.enter_context(relay(target))


def _relay(near: socket.socket, far: socket.socket, state: CutProxy) -> None:
    cut = threading.Event()

    def pump(source: socket.socket, sink: socket.socket, name: str) -> None:
        with contextlib.suppress(OSError):
            while not cut.is_set() and (data := source.recv(16384)):
                left = getattr(state, name)
                if left is not None:
                    data = data[:left]
                    setattr(state, name, left - len(data))
                sink.sendall(data)
                state.passed += len(data)
                if left is not None and left - len(data) <= 0:
                    cut.set()
                    state.at_cut()
        if cut.is_set():
            for each in (near, far):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        else:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    up = threading.Thread(target=pump, args=[near, far, "upward"], daemon=True)
    up.start()
    pump(far, near, "downward")
    up.join()
