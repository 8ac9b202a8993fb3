"""The persona's files, committed or in the folder, and what a model is given of them."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.backends.protocol import Tokenizer
from perdure.companion.config.backend_lock import LockEntry
from perdure.companion.config.manifest import Manifest, manifest_path, parse_manifest
from perdure.companion.config.settings import CompanionSettings, parse_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import BadFile, CompanionProblem
from perdure.companion.persona import persona
from perdure.companion.persona.check_files import kind_of
from perdure.companion.persona.check_tokens import Window
from perdure.companion.persona.findings import Kind
from perdure.companion.yaml import strict
from perdure.companion.yaml.strict import SIZE_LIMIT
from perdure.git.errors import TooManyFiles
from perdure.git.repository.repository import Repository
from perdure.git.worktree.files import NotRegular, TooLarge
from perdure.snapshot.companion import seen_backends
from perdure.snapshot.errors import NotACompanion
from perdure.snapshot.files import MOST_FILES, TOO_LARGE, files_below, read_small_at, too_many_files

_Unread = tuple[str, str, str]
"""A path that is not read, the reason, and what to do."""
_LINK = "a link, or something else that is not a file; links are never followed"


@dataclass(frozen=True, slots=True)
class PersonaFiles:
    """A companion's files, as far as they are about the persona or count beside it.

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
    unread: tuple[_Unread, ...] = ()
    troubles: tuple[BadFile, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonaPart:
    """What a model is given of one file.

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


def files_at(repo: Repository, commit: str) -> PersonaFiles:
    """Read the files as of a commit. Raises NotACompanion, CompanionProblem."""
    data = read_small_at(repo, SETTINGS, commit)
    if data is None:
        raise NotACompanion(f"{repo.path.name} has no {SETTINGS} there")
    found: dict[str, bytes] = {SETTINGS: data}
    for folder in MOST_FILES:
        found.update(files_below(repo, folder, commit))
    return _parted(parse_settings(data, read_only=True), found)


def files_in_folder(repo: Repository) -> PersonaFiles:
    """Read the files as they are in the folder, uncommitted edits included.

    Raises NotACompanion, CompanionProblem, HistoryError.
    """
    found: dict[str, bytes] = {}
    unread: list[_Unread] = []
    for folder in MOST_FILES:
        for path in _paths_below(repo, folder, unread):
            data = _content(repo, path, unread)
            if data is not None:
                found[path] = data
    unread += [
        (place.name, "only a folder called persona is read", "move its files to persona/")
        for place in sorted(repo.path.iterdir())
        if place.name.casefold() == "persona" != place.name and place.is_dir()
    ]
    settings, data, troubles = _settings(repo)
    files = _parted(settings, {SETTINGS: data, **found})
    return PersonaFiles(settings, files.persona, files.beside, tuple(unread), troubles)


def _paths_below(repo: Repository, folder: str, unread: list[_Unread]) -> list[str]:
    """The files in a folder; ``unread`` collects what is none, and copies of others."""
    if (repo.path / folder).is_symlink():
        unread.append((folder, _LINK, "put a folder in its place"))
    try:
        paths = sorted(repo.work_tree().below(folder, most=MOST_FILES[folder]))
    except TooManyFiles as error:
        raise too_many_files(folder) from error
    except OSError as problem:
        unread.append((folder, f"it cannot be read ({problem.strerror})", "see who may read it"))
        return []
    copies = {each.path: each.original for each in repo.edits.copies(folder)}
    for path, original in copies.items():
        reason = f"a copy of {original} that a sync program or an editor made"
        unread.append((path, reason, f"copy what you want to keep into {original}, and delete it"))
    folders = tuple(path for path in copies if path.endswith("/"))
    return [path for path in paths if path not in copies and not path.startswith(folders)]


def _content(repo: Repository, path: str, unread: list[_Unread]) -> bytes | None:
    """A file of the work tree; None where it is gone, or cannot be read."""
    try:
        seen = repo.work_tree().read(path, most=SIZE_LIMIT)
    except TooLarge:
        return TOO_LARGE
    except NotRegular:
        unread.append((path, _LINK, "put a file in its place"))
    except OSError as problem:
        reason = f"it cannot be opened ({problem.strerror})"
        unread.append((path, reason, "see who may read it"))
    else:
        return seen.data if seen is not None else None
    return None


def _settings(repo: Repository) -> tuple[CompanionSettings, bytes, tuple[BadFile, ...]]:
    trouble: BadFile | None = None
    try:
        seen = repo.work_tree().read(SETTINGS, most=SIZE_LIMIT)
    except TooLarge:
        trouble = BadFile(SETTINGS, 0, f"larger than {SIZE_LIMIT // 1024} KiB")
        seen = None
    except (NotRegular, OSError):
        seen = None
    if seen is not None:
        data = seen.data
        try:
            return parse_settings(data, read_only=True), data, ()
        except BadFile as problem:
            trouble = problem
    committed = read_small_at(repo, SETTINGS) if repo.head().commit else None
    if committed is None:
        raise trouble or NotACompanion(f"{repo.path.name} has no {SETTINGS}")
    settings = parse_settings(committed, read_only=True)
    return settings, committed, (trouble,) if trouble else ()


def _parted(settings: CompanionSettings, found: dict[str, bytes]) -> PersonaFiles:
    below = {
        path: data for path, data in found.items() if path.startswith(f"{persona.PERSONA_FOLDER}/")
    }
    beside = {path: data for path, data in found.items() if path not in below}
    return PersonaFiles(settings, below, beside)


def parts_of(files: PersonaFiles, tokenizer: Tokenizer) -> list[PersonaPart]:
    """The parts that a model is given, in the order of the prompt, greetings last.

    Raises BadFile for a file that cannot be read.
    """
    order = ("prompt", "example", "reminder", "greeting")
    found = []
    for path in sorted(files.persona):
        kind = kind_of(path)
        if kind is None:
            continue
        text = persona.split_front(strict.decode(files.persona[path], path), path)[1]
        filled = persona.fill(text, char=files.settings.name, user=files.settings.user).strip()
        if filled:
            found.append(PersonaPart(path, kind, filled, tokenizer.count(filled)))
    return sorted(found, key=lambda part: (order.index(part.kind), part.path))


# Windows and tokens


def windows_of(repo: Repository, files: PersonaFiles, commit: str | None = None) -> list[Window]:
    """The window of each listed backend, as far as files tell; no server is asked.

    The manifest goes first, then what was seen on this device, then what the driver assumes.
    Manifests that cannot be read are passed over: ``perdure backend list`` says why.
    """
    from perdure.prompt.budgets import budgets

    seen = seen_backends(repo, commit)
    found = []
    for manifest in manifests_of(files):
        tokens, assumed = _window(manifest, seen.get(manifest.name))
        shares = budgets(tokens, files.settings.context)
        found.append(Window(manifest.name, tokens, shares.reply, max(shares.prompt, 1), assumed))
    return found


def manifests_of(files: PersonaFiles) -> list[Manifest]:
    """The manifests that companion.yaml lists and that can be read, in its order."""
    found = []
    for name in files.settings.backends:
        path = manifest_path(name)
        try:
            found.append(parse_manifest(files.beside[path], path))
        except (KeyError, CompanionProblem):
            continue
    return found


def _window(manifest: Manifest, seen: LockEntry | None) -> tuple[int, bool]:
    """A backend's window in tokens, and whether that is only assumed."""
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
    """The driver's window where nothing names one, and whether a server may name another."""
    if manifest.driver == "anthropic":
        from perdure.backends.anthropic.driver import DEFAULT_WINDOW as HOSTED

        return HOSTED, True
    from perdure.backends.embedded.settings import DEFAULT_WINDOW
    from perdure.backends.store.catalogue import CATALOGUE

    known = CATALOGUE.get(manifest.model) if manifest.driver == "embedded" else None
    return (min(known.context_window, DEFAULT_WINDOW), False) if known else (DEFAULT_WINDOW, True)


def tokenizer_of(files: PersonaFiles, windows: list[Window]) -> Tokenizer:
    """The token counter for the model with the smallest window, without loading the model."""
    from perdure.backends.tokens.estimate import tokenizer_for

    smallest = min(windows, key=lambda each: (each.room, each.backend), default=None)
    for manifest in manifests_of(files):
        if smallest is not None and manifest.name == smallest.backend:
            own = manifest.driver in ("ollama", "embedded")
            return tokenizer_for(manifest.model, own_name=own)
    return tokenizer_for("")
