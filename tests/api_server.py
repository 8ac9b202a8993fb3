"""A server of OpenAI's protocol on loopback, for tests that run perdure as a command."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

REPLY = "Hello there."


class ApiServer:
    """Answers whole replies, refuses keys (``status``), or never answers.

    With ``stalls`` nothing is answered, with ``stalls_replies`` all but the talk.
    """

    def __init__(
        self,
        *,
        status: int = 200,
        stalls: bool = False,
        stalls_replies: bool = False,
        models: tuple[str, ...] = ("tiny", "big"),
        reply: str = REPLY,
    ) -> None:
        self.reply = reply
        self.asked: list[tuple[str, str]] = []
        """Method and path of each request, and its Authorization."""
        self._done = threading.Event()
        self.was_asked = threading.Event()
        """Set once a reply was asked for."""
        handler = self._handler(status, models, stalls=stalls, stalls_replies=stalls_replies)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def talks(self) -> int:
        """How many replies were asked for."""
        return sum(line.startswith("POST") for line, _ in self.asked)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(
        self, status: int, models: tuple[str, ...], *, stalls: bool, stalls_replies: bool
    ) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._note()
                listed = [{"id": name, "context_length": 4096} for name in models]
                self._answer(json.dumps({"object": "list", "data": listed}).encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self._note()
                outer.was_asked.set()
                pieces: list[dict[str, object]] = [
                    {
                        "choices": [
                            {"index": 0, "delta": {"content": outer.reply}, "finish_reason": None}
                        ]
                    },
                    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
                    {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 4}},
                ]
                if stalls_replies:
                    outer._done.wait()
                    return
                events = [
                    b"data: " + json.dumps({"model": "tiny-1", **each}).encode() + b"\n\n"
                    for each in pieces
                ]
                self._answer(b"".join(events) + b"data: [DONE]\n\n", "text/event-stream")

            def _note(self) -> None:
                key = self.headers.get("authorization", "")
                outer.asked.append((f"{self.command} {self.path}", key))

            def _answer(self, body: bytes, kind: str = "application/json") -> None:
                if stalls:
                    outer._done.wait()
                    return
                body = body if status == 200 else b'{"error": {"message": "wrong key"}}'
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        return Handler
