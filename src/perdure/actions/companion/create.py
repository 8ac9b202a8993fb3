"""Create a companion: from a template or from another one's documents; the first commit."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perdure.actions.agreement import agree_to, as_agreed
from perdure.actions.errors import CannotAct
from perdure.actions.trust import confirm, is_confirmed
from perdure.backends.ollama.discover import find_ollama
from perdure.backends.store.catalogue import what_is_missing
from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest, parse_manifest
from perdure.companion.config.settings import Setting, edit_settings, parse_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import CompanionProblem
from perdure.companion.names import check_name
from perdure.companion.templates import new_companion, pages
from perdure.git.config.user import human
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Repository
from perdure.snapshot.author import author_of
from perdure.snapshot.companion import read_companion

_EMBEDDED_MODEL = "smollm2-135m-instruct"
# Without a penalty the small model falls into saying one sentence over and over; without a limit it
# never ends.
_EMBEDDED_PARAMETERS = {"temperature": 0.7, "repeat_penalty": 1.15, "max_tokens": 240}


_DOCUMENTS = ("persona", "lore", "probes", "assets", "backends")
_FACTS = "memory/facts"
_OLD_ONES = ("former_names", "archived", "sync")
"""Settings that say something of the other companion, and not of a new one."""
_MOST_FILES = 5_000
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CreatedCompanion:
    """A new companion.

    Attributes:
        voice: a sentence about which model speaks for her.
        mentions: files that still name the companion whose documents she has.
    """

    name: str
    path: Path
    commit: str
    backend: str
    model: str
    voice: str
    mentions: tuple[str, ...] = ()


def create_companion(
    path: Path, *, name: str, template: str, user: str | None = None
) -> CreatedCompanion:
    """Create a companion repository at ``path``.

    Without ``user`` the companion calls its user by the first word of git's ``user.name``, else by
    the login. A running Ollama with a model that can chat is taken first; without one,
    the embedded rehearsal voice.

    Raises:
        CompanionProblem: a bad name or an unknown template.
        HistoryError: the folder is taken or cannot be written.
    """
    name = check_name(name)
    manifest, voice = _first_backend()
    at = now()
    files = new_companion(
        template=template, name=name, user=user or _user(), manifest=manifest, at=at
    )
    author = author_of(name)
    repo = create_repository(
        path,
        files,
        message=f"companion: {name} begins, from the template {template}\n",
        author=author,
    )
    try:
        confirm(repo, [manifest])
        commit = repo.resolve("HEAD")
    finally:
        repo.close()
    return CreatedCompanion(name, path, commit, manifest.name, manifest.model, voice)


def create_from(
    source: Repository, rev: str, path: Path, *, name: str, user: str | None, memory: bool
) -> CreatedCompanion:
    """Create a companion from another one's documents as of a commit, without conversations.

    She gets persona, lore, probes, pictures, backends and settings. Backends that are confirmed in
    the other one's folder are so in hers.

    Args:
        source: the other companion's repository.
        rev: id of the commit.
        path: her folder.
        name: what she is called.
        user: what she calls the user; as the other one does without.
        memory: whether she knows the facts, too.

    Raises:
        CompanionProblem: a bad name, or companion.yaml cannot be read.
        CannotAct: the documents are more than a companion's can be.
        HistoryError: the folder is taken or cannot be written.
    """
    name = check_name(name)
    old = read_companion(source, rev).settings
    called = check_name(user) if user else old.user
    files = _documents(source, rev, [*_DOCUMENTS, *([_FACTS] if memory else [])])
    settings = source.read(SETTINGS, rev) or b""
    taken: dict[str, Setting] = dict.fromkeys(_OLD_ONES)
    agreed = as_agreed(source, old)
    if agreed.backends != old.backends:
        taken["backends"] = list(agreed.backends)
    if agreed.failover_to_hosted != old.failover_to_hosted:
        taken["failover_to_hosted"] = agreed.failover_to_hosted
    edited = edit_settings(settings, {"name": name, "user": called, **taken})
    files[SETTINGS] = _renamed_comments(edited, old.name, name)
    at = now()
    files |= pages(name, called, old.language, at, files)
    known = [manifest for manifest in _manifests(files) if is_confirmed(source, manifest)]
    since = source.commit_info(rev).at
    message = f"companion: {name} begins, from {old.name} as of {since:%Y-%m-%d %H:%M}\n"
    with create_repository(path, files, message=message, author=author_of(name)) as repo:
        confirm(repo, known)
        agree_to(repo, failover_to_hosted=agreed.failover_to_hosted)
        commit = repo.resolve("HEAD")
    ready = {manifest.name: manifest for manifest in known}
    first = next((ready[each] for each in agreed.backends if each in ready), None)
    voice = f"Uses {first.name}, with {first.model}." if first else _NO_VOICE
    backend, model = (first.name, first.model) if first else ("", "")
    mentions = _mentions(files, old.name) if old.name != name else ()
    return CreatedCompanion(name, path, commit, backend, model, voice, mentions)


_NO_VOICE = "No backend is confirmed yet: perdure backend confirm --all"


def _documents(source: Repository, rev: str, folders: Sequence[str]) -> dict[str, bytes]:
    """The files below some folders, by path."""
    entries = [entry for each in folders for entry in source.files(each, rev, most=_MOST_FILES)]
    if sum(source.size(entry.oid) for entry in entries) > _MOST_BYTES:
        raise CannotAct(
            f"{', '.join(folders)} hold more than {_MOST_BYTES >> 20} MiB",
            next_step="copy what you need by hand",
        )
    return {entry.path: source.blob(entry.oid) for entry in entries}


def _mentions(files: Mapping[str, bytes], name: str) -> tuple[str, ...]:
    """The texts that have a name in them, as a word."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    texts = {path: data.decode("utf-8", "replace") for path, data in files.items()}
    return tuple(
        path for path in sorted(texts) if path.endswith(".md") and word.search(texts[path])
    )


def _renamed_comments(settings: bytes, old: str, new: str) -> bytes:
    """companion.yaml with the other name in its comments, which are about whom it was made for."""
    lines = settings.decode().split("\n")
    parts = [line.partition("#") for line in lines]
    renamed = "\n".join(
        before + mark + re.sub(rf"\b{re.escape(old)}\b", lambda _: new, comment)
        for before, mark, comment in parts
    ).encode()
    # A number sign may stand in a value.
    is_same = parse_settings(renamed) == parse_settings(settings)
    return renamed if is_same else settings


def _manifests(files: Mapping[str, bytes]) -> Iterator[Manifest]:
    """The manifests among some files; what cannot be read waits to be confirmed, and mended."""
    for path, data in files.items():
        if path.startswith("backends/") and path.endswith(".yaml"):
            with suppress(CompanionProblem):
                yield parse_manifest(data, path)


def _user() -> str:
    known = human({})
    if known is not None and known.name.split():
        return known.name.split()[0]
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "You"


def _first_backend() -> tuple[Manifest, str]:
    ollama = find_ollama()
    if ollama is not None and ollama.chat_models:
        model = ollama.chat_models[0]
        manifest = Manifest(name="ollama", driver="ollama", model=model, address=ollama.address)
        return manifest, f"Uses the Ollama that runs here, with {model}."
    manifest = Manifest(
        name="rehearsal", driver="embedded", model=_EMBEDDED_MODEL, parameters=_EMBEDDED_PARAMETERS
    )
    why = "The Ollama that runs here has no chat model" if ollama else "No Ollama runs here"
    voice = (
        f"{why}, so a small embedded model answers: a rehearsal voice, good enough to try "
        "everything, but not good company."
    )
    first = what_is_missing(_EMBEDDED_MODEL)
    return manifest, f"{voice} It is not here yet: {first}." if first else voice
