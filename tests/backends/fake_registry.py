"""A package index on loopback that can misbehave in the ways that real ones do."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class FakeRegistry:
    """A package index on loopback with one wheel, and the ways in which it may misbehave."""

    address: str = ""
    wheel: bytes = b""
    stated_sha256: str = ""
    as_json: bool = True
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which each of the next downloads is cut."""
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header of each request."""

    file_name = "tiny_voice-1.0-py3-none-any.whl"

    def page(self) -> tuple[str, bytes]:
        if self.as_json:
            return "application/vnd.pypi.simple.v1+json", (
                f'{{"files": [{{"filename": "{self.file_name}", "url": "../../files/'
                f'{self.file_name}", "hashes": {{"sha256": "{self.stated_sha256}"}}}}]}}'
            ).encode()
        return "text/html; charset=utf-8", (
            f'<!DOCTYPE html><a href="/files/{self.file_name}#sha256={self.stated_sha256}">'
            f"{self.file_name}</a>"
        ).encode()


def handler_for(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            registry.asked.append((self.path, self.headers.get("Range", "")))
            if self.path == "/simple/tiny-voice/":
                kind, body = registry.page()
                self.answer(200, body, {"Content-Type": kind})
            elif self.path == f"/files/{registry.file_name}" and registry.status == 200:
                self.send_wheel()
            else:
                self.answer(404 if registry.status == 200 else registry.status, b"no", {})

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def send_wheel(self) -> None:
            start = 0
            wanted = self.headers.get("Range", "")
            if wanted and registry.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(registry.wheel):
                    self.answer(416, b"", {})
                    return
                self.send_response(206)
                end = len(registry.wheel) - 1
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(registry.wheel)}")
            else:
                self.send_response(200)
            body = registry.wheel[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if registry.cut_after:
                self.wfile.write(body[: registry.cut_after.pop(0)])
                self.close_connection = True
            else:
                self.wfile.write(body)

    return Handler


def wheel_with(member: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_voice/__init__.py", "raise SystemExit('never run')")
        archive.writestr(member, content)
    return file.getvalue()
