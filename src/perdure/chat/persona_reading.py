"""The persona's files, as committed or as they are in the folder, and as a model is given them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perdure.backends.protocol import Tokenizer
from perdure.chat.companion_at import SETTINGS
from perdure.chat.errors import NotACompanion
from perdure.companion import persona, plainyaml
from perdure.companion.errors import BadFile, CompanionProblem
from perdure.companion.locks import Seen, lock_path, parse_lock
from perdure.companion.manifests import Manifest, manifest_path, parse_manifest
from perdure.companion.persona_check import Kind, Window, kind_of
from perdure.companion.settings import CompanionSettings, parse_settings
from perdure.history.repository import Repository

_MOST_BYTES = 2 * 1024 * 1024
"""Of one file; a file above 1 MiB is refused anyway, whatever stands behind."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a companion.

    Attributes:
        settings: companion.yaml.
        persona: every file below persona/, by its path, read or not.
        beside: companion.yaml, lore, facts and manifests.
        unread: links, folders written in other letters, conflict copies and files that could not be
            opened, each with the reason and what to do.
        troubles: what is wrong with companion.yaml in the folder; the committed one is used then.
    """

    settings: CompanionSettings
    persona: dict[str, bytes]
    beside: dict[str, bytes]
    unread: tuple[tuple[str, str, str], ...] = ()
    troubles: tuple[BadFile, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonaPart:
    """One file as a model is given it.

    Attributes:
        path: the file.
        kind: what it is to the persona.
        text: names filled in, front matter taken off.
        tokens: how many tokens that has.
    """

    path: str
    kind: Kind
    text: str
    tokens: int


def files_at(repo: Repository, commit: str) -> Files:
    """The files of a commit. Raises NotACompanion, CompanionProblem."""
    data = repo.read(SETTINGS, commit)
    if data is None:
        raise NotACompanion(f"{repo.path.name} has no {SETTINGS} there")
    found: dict[str, bytes] = {SETTINGS: data}
    for folder in ("persona", "lore", "memory/facts", "backends"):
        for entry in repo.files(folder, commit):
            found[entry.path] = repo.blob(entry.oid)[:_MOST_BYTES]
    return _parted(parse_settings(data, read_only=True), found)


def files_in_folder(repo: Repository) -> Files:
    """The files as they are in the folder, edits that are in no commit included.

    Raises NotACompanion, CompanionProblem, HistoryError.
    """
    found: dict[str, bytes] = {}
    unread: list[tuple[str, str, str]] = []
    for folder in ("persona", "lore", "memory/facts", "backends"):
        copies = {each.path: each.original for each in repo.conflict_copies(folder)}
        copied_folders = [path for path in copies if path.endswith("/")]
        unread += [
            (
                path,
                f"a copy of {original} that a sync program or an editor made",
                f"put what you want of it into {original}, and delete it",
            )
            for path, original in copies.items()
        ]
        for path in _walk(repo.path, folder):
            place = repo.path / path
            if path in copies or any(path.startswith(copy) for copy in copied_folders):
                continue
            if place.is_symlink() or not place.is_file():
                unread.append((path, "a link; links are never followed", "put a file in its place"))
                continue
            try:
                with place.open("rb") as file:
                    found[path] = file.read(_MOST_BYTES)
            except OSError as problem:
                unread.append(
                    (path, f"it cannot be opened ({problem.strerror})", "see who may read it")
                )
    unread += [
        (place.name, "only a folder called persona is read", "move its files to persona/")
        for place in sorted(repo.path.iterdir())
        if place.name.casefold() == "persona" != place.name and place.is_dir()
    ]
    settings, data, troubles = _settings(repo)
    files = _parted(settings, {SETTINGS: data, **found})
    return Files(settings, files.persona, files.beside, tuple(unread), troubles)


def _walk(root: Path, folder: str) -> Iterator[str]:
    """Paths of files and links below a folder; no link is followed."""
    for place, folders, names in os.walk(root / folder):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in links)
        for name in sorted([*names, *links]):
            yield (here / name).relative_to(root).as_posix()


def _settings(repo: Repository) -> tuple[CompanionSettings, bytes, tuple[BadFile, ...]]:
    place = repo.path / SETTINGS
    trouble: BadFile | None = None
    if place.is_file() and not place.is_symlink():
        data = place.read_bytes()[:_MOST_BYTES]
        try:
            return parse_settings(data, read_only=True), data, ()
        except BadFile as problem:
            trouble = problem
    committed = repo.read(SETTINGS) if repo.head().commit else None
    if committed is None:
        raise trouble or NotACompanion(f"{repo.path.name} has no {SETTINGS}")
    settings = parse_settings(committed, read_only=True)
    return settings, committed, (trouble,) if trouble else ()


def _parted(settings: CompanionSettings, found: dict[str, bytes]) -> Files:
    below = {path: data for path, data in found.items() if path.startswith(f"{persona.FOLDER}/")}
    beside = {path: data for path, data in found.items() if path not in below}
    return Files(settings, below, beside)


def parts_of(files: Files, tokenizer: Tokenizer) -> list[PersonaPart]:
    """What a model is given, in the order of the prompt; greetings last.

    Raises BadFile for a file that cannot be read.
    """
    order = ("prompt", "example", "reminder", "greeting")
    found = []
    for path in sorted(files.persona):
        kind = kind_of(path)
        if kind is None:
            continue
        text = persona.split_front(plainyaml.decode(files.persona[path], path), path)[1]
        filled = persona.fill(text, char=files.settings.name, user=files.settings.user).strip()
        if filled:
            found.append(PersonaPart(path, kind, filled, tokenizer.count(filled)))
    return sorted(found, key=lambda part: (order.index(part.kind), part.path))


# Windows and tokens


def windows_of(repo: Repository, files: Files, commit: str | None = None) -> list[Window]:
    """What each listed backend takes in, as far as files tell; no server is asked.

    The manifest goes first, then what was seen on this device, then what the driver assumes.
    Manifests that cannot be read are passed over: ``perdure backend list`` says why.
    """
    from perdure.memory.budgets import budgets

    seen = _seen(repo, commit)
    found = []
    for manifest in manifests_of(files):
        tokens, assumed = _window(manifest, seen.get(manifest.name))
        shares = budgets(tokens, files.settings.context)
        found.append(Window(manifest.name, tokens, shares.reply, max(shares.prompt, 1), assumed))
    return found


def manifests_of(files: Files) -> list[Manifest]:
    """The manifests of companion.yaml's list that can be read, in its order."""
    found = []
    for name in files.settings.backends:
        path = manifest_path(name)
        try:
            found.append(parse_manifest(files.beside[path], path))
        except (KeyError, CompanionProblem):
            continue
    return found


def _window(manifest: Manifest, seen: Seen | None) -> tuple[int, bool]:
    """Tokens, and whether that is only assumed."""
    details = seen.details if seen is not None else {}
    own = _number(details.get("context_length"))
    if manifest.context_window:
        return min(manifest.context_window, own or manifest.context_window), False
    if stated := _number(details.get("window")):
        return stated, False
    tokens, assumed = _default(manifest)
    return min(tokens, own or tokens), assumed


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _default(manifest: Manifest) -> tuple[int, bool]:
    """What the driver takes where nothing names a window, and whether a server may say another."""
    if manifest.driver == "anthropic":
        from perdure.backends.anthropic_driver import DEFAULT_WINDOW as HOSTED

        return HOSTED, True
    from perdure.backends.llama_settings import DEFAULT_WINDOW
    from perdure.backends.models import CATALOGUE

    known = CATALOGUE.get(manifest.model) if manifest.driver == "embedded" else None
    return (min(known.context_window, DEFAULT_WINDOW), False) if known else (DEFAULT_WINDOW, True)


def _seen(repo: Repository, commit: str | None) -> dict[str, Seen]:
    from perdure.chat.fingerprints import device

    path = lock_path(device())
    try:
        data = repo.read(path, commit) if commit or repo.head().commit else None
        return parse_lock(data, path) if data is not None else {}
    except CompanionProblem:
        return {}


def tokenizer_of(files: Files, windows: list[Window]) -> Tokenizer:
    """The counter for the model with the smallest window, without loading that model."""
    from perdure.backends.tokens import tokenizer_for

    smallest = min(windows, key=lambda each: (each.room, each.backend), default=None)
    for manifest in manifests_of(files):
        if smallest is not None and manifest.name == smallest.backend:
            own = manifest.driver in ("ollama", "embedded")
            return tokenizer_for(manifest.model, own_name=own)
    return tokenizer_for("")
