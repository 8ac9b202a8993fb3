"""Lore listed, tried out and changed by the user: one commit for each entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from perdure.actions.errors import CannotAct
from perdure.actions.workspace import Workspace
from perdure.backends.protocol import Tokenizer
from perdure.companion.errors import BadFile, FileTrouble
from perdure.companion.memory.lore import (
    LORE_FOLDER,
    LoreEntry,
    edit_entry,
    is_lore,
    read_entry,
    read_lore,
    render_entry,
)
from perdure.companion.names import numbered, slug, title_from
from perdure.companion.persona.persona import fill
from perdure.git.repository.repository import Change, CommitInfo, Repository
from perdure.git.timeline.query import Query
from perdure.progress import Progress
from perdure.prompt.lore import Triggered, fit_lore, scan, timed_out_text
from perdure.snapshot.files import entries_below, files_below

USUAL_WINDOW = 8_000
"""Tokens of a window, where neither manifest nor user says how large it is."""
_PER_ENTRY = 4
"""Tokens that stand between an entry and its neighbours, about."""


@dataclass(frozen=True, slots=True)
class LoreRow:
    """An entry in a list.

    Attributes:
        entry: the entry.
        tokens: what its text costs.
        last: the commit that last changed its file; None: it is in no commit yet.
    """

    entry: LoreEntry
    tokens: int
    last: CommitInfo | None

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            **entry_record(self.entry),
            "tokens": self.tokens,
            "changed": self.last.at.isoformat() if self.last else None,
            "changed_by": self.last.author.name if self.last else None,
            "commit": self.last.id if self.last else None,
        }


@dataclass(frozen=True, slots=True)
class LoreList:
    """All lore of a companion.

    Attributes:
        rows: the entries, in the order of the prompt.
        troubles: what is wrong, with file and line.
        counter: what counted the tokens.
        uncommitted: files that differ from the last commit, or could not be compared, and why.
    """

    rows: tuple[LoreRow, ...]
    troubles: tuple[FileTrouble, ...]
    counter: str
    uncommitted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoreTrial:
    """Which entries a text would bring in.

    Attributes:
        kept: what comes in, in the order of the prompt, and what it costs.
        left_out: what there is no room for.
        unlucky: what its probability keeps out this time.
        troubles: what is wrong, with file and line.
        room: tokens that lore may take.
        window: the window that this is for.
        is_usual: nobody says how large the window is, so it is one of a usual size.
        counter: what counted the tokens.
    """

    kept: tuple[tuple[Triggered, int], ...]
    left_out: tuple[tuple[Triggered, int], ...]
    unlucky: tuple[Triggered, ...]
    troubles: tuple[FileTrouble, ...]
    room: int
    window: int
    is_usual: bool
    counter: str


@dataclass(frozen=True, slots=True)
class LoreCommit:
    """A change that was committed."""

    entry: LoreEntry
    commit: str


def entry_record(entry: LoreEntry) -> dict[str, object]:
    """An entry as plain data."""
    return {
        "name": entry.name,
        "file": entry.path,
        "title": entry.title,
        "keys": list(entry.keys),
        "secondary_keys": list(entry.secondary_keys),
        "secondary_logic": entry.secondary_logic,
        "regex": entry.regex,
        "case_sensitive": entry.case_sensitive,
        "whole_words": entry.whole_words,
        "constant": entry.constant,
        "enabled": entry.enabled,
        "priority": entry.priority,
        "order": entry.order,
        "position": entry.position,
        "scan_depth": entry.scan_depth,
        "exclude_recursion": entry.exclude_recursion,
        "prevent_recursion": entry.prevent_recursion,
        "probability": entry.probability,
        "text": entry.text,
    }


def list_lore(workspace: Workspace, progress: Progress | None = None) -> LoreList:
    """All lore as it is in the folder, committed or not.

    Raises:
        HistoryError: the history cannot be read.
    """
    files, uncommitted = _files(workspace)
    entries, troubles = read_lore(files)
    counter, _ = _counter(workspace)
    last = _last_changes(workspace.repo, [entry.path for entry in entries], progress)
    rows = [
        LoreRow(entry, counter.count(_filled(workspace, entry.text)), last.get(entry.path))
        for entry in sorted(entries, key=lambda entry: (entry.order, entry.path))
    ]
    return LoreList(tuple(rows), troubles, counter.name, uncommitted)


def try_lore(workspace: Workspace, texts: Sequence[str], *, window: int | None = None) -> LoreTrial:
    """Try which entries these messages would bring in, the newest message last.

    Args:
        workspace: the companion; its lore counts as it stands in the folder.
        texts: the messages.
        window: size of the model's window in tokens; what the manifest says, or a usual one.
    """
    from perdure.prompt.budgets import budgets
    from perdure.snapshot.companion import read_companion

    files, _ = _files(workspace)
    entries, troubles = read_lore(files)
    counter, own_window = _counter(workspace)
    companion = read_companion(workspace.repo, workspace.tip)
    settings = companion.settings
    found = scan(
        entries,
        texts,
        depth=settings.lore.scan_depth,
        char=settings.name,
        user=settings.user,
        draw="\n".join(texts) if settings.lore.probability else None,
    )
    known = window or own_window
    window = known or USUAL_WINDOW
    shares = budgets(window, settings.context)
    persona = sum(counter.count(_filled(workspace, file.text)) for file in companion.persona.files)
    room = shares.within(shares.prompt - persona - counter.count("\n".join(texts))).lore

    def cost(entry: LoreEntry) -> int:
        return counter.count(_filled(workspace, entry.text)) + _PER_ENTRY

    kept, out = fit_lore(found.triggered, cost, room)
    return LoreTrial(
        tuple((each, cost(each.entry)) for each in kept),
        tuple((each, cost(each.entry)) for each in out),
        found.unlucky,
        (*troubles, *found.troubles, *map(timed_out_text, found.timed_out)),
        room,
        window,
        known is None,
        counter.name,
    )


def find_entry(workspace: Workspace, name: str) -> LoreEntry:
    """Find the entry that a name means.

    That is its file, with or without folder and ending, its title, or a piece of the file's name
    that no other has.

    Raises:
        CannotAct: there is none, or several.
        BadFile: its file cannot be read; names the line.
    """
    path = path_of(workspace, name)
    data = workspace.repo.read(path, workspace.tip)
    return read_entry(data or b"", path)


def add_lore(workspace: Workspace, entry: LoreEntry) -> LoreCommit:
    """Commit a new entry. Its file is named after its title or first key.

    Raises:
        CannotAct: it has no text, or could never come in.
        BadFile: no file says this, as with a broken regular expression or a conflict's mark.
        HistoryError: nothing was changed.
    """
    path = _free_path(
        workspace, entry.title or next(iter(entry.keys), "") or title_from(entry.text)
    )
    entry = replace(entry, path=path)
    return _commit(workspace, entry, _checked(render_entry(entry), entry), "add")


def change_lore(workspace: Workspace, before: LoreEntry, after: LoreEntry) -> LoreCommit:
    """Commit a change of an entry. Comments and unknown keys of its file stay.

    Args:
        workspace: the companion.
        before: the entry as the change was thought out from.
        after: what it shall be.

    Raises:
        CannotAct: nothing is different, no text is left, or somebody else has changed it since.
        BadFile: no file says this.
        HistoryError: nothing was changed.
    """
    tip = workspace.tip
    data = workspace.repo.read(before.path, tip)
    if data is None or read_entry(data, before.path) != before:
        raise CannotAct(
            f"{before.path} was changed in the meantime",
            kept="it stays as it is now",
            next_step=f"look at it with: perdure lore list, then repeat: perdure lore edit "
            f"{before.name}",
        )
    return _commit(workspace, after, _checked(edit_entry(data, after), after), "change", tip)


def replace_file(workspace: Workspace, path: str, data: bytes, since: str) -> LoreCommit:
    """Commit an entry's whole file as an editor left it. Raises what `change_lore` does."""
    if data == workspace.repo.read(path, workspace.tip):
        raise CannotAct(f"{path} already reads like that")
    entry = read_entry(data, path)
    return _commit(workspace, entry, _checked(data, entry), "change", since)


def remove_lore(workspace: Workspace, name: str) -> LoreCommit:
    """Remove an entry in one commit, even one whose file cannot be read.

    Raises:
        CannotAct: there is no such entry, or several.
        HistoryError: nothing was changed.
    """
    path = path_of(workspace, name)
    return _commit(workspace, LoreEntry(path), None, "remove")


def _commit(
    workspace: Workspace, entry: LoreEntry, data: bytes | None, verb: str, since: str = ""
) -> LoreCommit:
    if data is not None and data == workspace.repo.read(entry.path, workspace.tip):
        raise CannotAct(f"{entry.path} already reads like that")
    commit = workspace.commit([Change(entry.path, data)], f"lore: {verb} {entry.name}\n", since)
    return LoreCommit(entry, commit)


def _checked(data: bytes, entry: LoreEntry) -> bytes:
    """Refuse a file of which nothing would ever come into a prompt. Raises CannotAct, BadFile."""
    troubles: list[FileTrouble] = []
    read_entry(data, entry.path, troubles)
    if troubles:
        first = troubles[0]
        raise BadFile(first.path, first.line, first.what, kept="nothing was changed")
    return data


def _files(workspace: Workspace) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
    """The files as the next turn will see them: the last commit's, with the hand edits on top."""
    tip = workspace.tip
    files = files_below(workspace.repo, LORE_FOLDER, tip, wanted=is_lore)
    edits = workspace.repo.edits.find([LORE_FOLDER])
    for change in edits.ready:
        if change.content is None:
            files.pop(change.path, None)
        elif is_lore(change.path):
            files[change.path] = change.content
    said = [f"{change.path}: an edit that is not committed yet" for change in edits.ready]
    return files, (*said, *(f"{path}: {reason}" for path, reason in edits.held))


def _last_changes(
    repo: Repository, paths: Sequence[str], progress: Progress | None
) -> dict[str, CommitInfo]:
    wanted = set(paths)
    found: dict[str, CommitInfo] = {}
    if not wanted:
        return found
    for listed in repo.timeline(progress).listing(
        repo.resolve("HEAD"), Query(folders=(LORE_FOLDER,))
    ):
        for path in wanted.intersection(listed.files):
            found.setdefault(path, listed.commit)
        if len(found) == len(wanted):
            break
    return found


def _counter(workspace: Workspace) -> tuple[Tokenizer, int | None]:
    """A token counter for the first backend's model that works offline, and the model's window."""
    from perdure.backends.tokens.estimate import EstimateTokenizer, tokenizer_for
    from perdure.companion.config.manifest import parse_manifest
    from perdure.companion.errors import CompanionProblem

    names = workspace.settings.backends
    path = f"backends/{names[0]}.yaml" if names else ""
    data = workspace.repo.read(path, workspace.tip) if names else None
    if data is None:
        return EstimateTokenizer(), None
    try:
        manifest = parse_manifest(data, path)
    except CompanionProblem:
        return EstimateTokenizer(), None
    return tokenizer_for(manifest.model, own_name=True), manifest.context_window


def _filled(workspace: Workspace, text: str) -> str:
    return fill(text, char=workspace.settings.name, user=workspace.settings.user)


def path_of(workspace: Workspace, name: str) -> str:
    """The path of the file that a name means, as in `find_entry`, even if it cannot be read."""
    tip = workspace.tip
    entries = entries_below(workspace.repo, LORE_FOLDER, tip)
    there = [entry.path for entry in entries if is_lore(entry.path)]
    stem = PurePosixPath(name).name.removesuffix(".md")
    for path in (f"{LORE_FOLDER}/{stem}.md", f"{LORE_FOLDER}/{slug(stem)}.md"):
        if path in there:
            return path
    data = files_below(workspace.repo, LORE_FOLDER, tip, wanted=is_lore)
    wanted = name.casefold()
    titled = [each.path for each in read_lore(data)[0] if each.title.casefold() == wanted]
    if len(titled) == 1:
        return titled[0]
    near = [path for path in there if slug(stem) in PurePosixPath(path).stem]
    if len(near) == 1 and not titled:
        return near[0]
    names = ", ".join(PurePosixPath(path).stem for path in titled or near or there[:8])
    raise CannotAct(
        f"several lore entries are called {name!r}" if titled else f"there is no lore {name!r}",
        next_step=f"there are: {names}" if names else "create one with: perdure lore add KEY",
    )


def _free_path(workspace: Workspace, words: str) -> str:
    """A file name that is free at the tip and in the folder, also where case does not count."""
    there = {entry.path.casefold() for entry in workspace.repo.files(LORE_FOLDER, workspace.tip)}
    folder = workspace.repo.path / LORE_FOLDER
    if folder.is_dir():
        there |= {f"{LORE_FOLDER}/{path.name}".casefold() for path in folder.iterdir()}
    stem = slug(words or "entry")[:60].rstrip("-")
    paths = (f"{LORE_FOLDER}/{name}.md" for name in numbered(stem))
    return next(path for path in paths if path.casefold() not in there)
