"""A companion as of one commit: settings, persona and manifests."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from perdure.backends.protocol import BackendSpec
from perdure.companion.config.backend_lock import LockEntry, lock_path, parse_lock
from perdure.companion.config.manifest import Manifest, parse_manifest
from perdure.companion.config.settings import CompanionSettings, parse_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import BadFile, CompanionProblem, NewerFormat
from perdure.companion.persona.persona import Persona, read_persona
from perdure.git.errors import UnknownRevision
from perdure.git.operations.branches import branches
from perdure.git.repository.repository import Repository
from perdure.snapshot.author import device
from perdure.snapshot.errors import NoBackend, NotACompanion, newer_companion
from perdure.snapshot.files import files_below, read_small_at


@dataclass(frozen=True, slots=True)
class CompanionAt:
    """The settings and persona in the tree of ``commit``.

    ``as_written`` are the tree's settings, where ``settings`` are what counts of them on a device.
    """

    commit: str
    settings: CompanionSettings
    persona: Persona
    as_written: CompanionSettings | None = None

    @property
    def name(self) -> str:
        return self.settings.name


def read_companion(repo: Repository, rev: str) -> CompanionAt:
    """Read settings and persona of a commit.

    Raises:
        NotACompanion: there is no commit yet, or its tree has no companion.yaml.
        NewerCompanion: its format is newer than this program.
        CompanionProblem: a file that is needed cannot be read; names file and line.
    """
    try:
        commit = repo.resolve(rev)
    except UnknownRevision as problem:
        if repo.head().commit is not None:
            raise
        raise _none_here(repo, "a commit on its branch") from problem
    data = read_small_at(repo, SETTINGS, commit)
    if data is None:
        raise _none_here(repo, SETTINGS)
    try:
        files = files_below(repo, "persona", commit, wanted=lambda path: path.endswith(".md"))
        return CompanionAt(commit, parse_settings(data), read_persona(files))
    except NewerFormat as problem:
        raise newer_companion(problem) from problem
    except BadFile as problem:
        again = f"correct it, or take back what brought it: perdure log {problem.file}"
        raise BadFile(
            problem.file,
            problem.line,
            problem.problem,
            problem.kept or "it is committed like that, and no prompt can be made from it",
            problem.next_step or again,
        ) from problem


def best_branch(repo: Repository, head: str | None) -> str:
    """The branch to check out where a repository has come from elsewhere.

    The one that its HEAD names, if a companion is there; else ``main``, ``master``, or the branch
    with the newest commit. Where no branch has a companion, the same order without that.

    Args:
        repo: the repository.
        head: what HEAD names there, as a branch or as a full ref; None where it is not known.

    Raises:
        NotACompanion: there is no branch at all.
    """
    newest = {branch.name: branch.commit for branch in branches(repo)}
    named = (head or "").removeprefix("refs/heads/")
    order = [*(name for name in (named, "main", "master") if name in newest), *newest]
    if not order:
        raise NotACompanion(
            "there is no branch in it, and so no companion",
            "Nothing was changed",
            "Choose another place, or create a companion: perdure new NAME",
        )
    with_companion = (name for name in order if repo.oid(SETTINGS, newest[name]) is not None)
    return next(with_companion, order[0])


def her_names(repo: Repository, rev: str) -> tuple[str, ...]:
    """Her name as of a commit and her former names; none where they cannot be read."""
    try:
        data = read_small_at(repo, SETTINGS, rev)
        return parse_settings(data, read_only=True).her_names if data is not None else ()
    except CompanionProblem:
        return ()


def _none_here(repo: Repository, lacking: str) -> NotACompanion:
    """The error for a repository without a companion at HEAD, with the way back if there is one."""
    from perdure.git.repository.lost_file import is_known, way_back

    if is_known(repo.path, SETTINGS) or (repo.path / SETTINGS).is_file():
        back = way_back(repo.path, SETTINGS)
        if back is not None:
            return NotACompanion(back.what, "Nothing was changed", back.next_step)
    return NotACompanion(
        f"{repo.path.name} is a git repository without {lacking}",
        "Nothing was changed",
        "Choose another folder, or create a companion: perdure new NAME",
    )


def read_manifest(repo: Repository, rev: str, name: str) -> Manifest:
    """Read the manifest of a backend. Raises NoBackend if the tree has none of that name."""
    path = f"backends/{name}.yaml"
    data = read_small_at(repo, path, rev)
    if data is None:
        raise NoBackend(
            f"companion.yaml lists the backend {name!r}, but there is no {path}.",
            next_step=f"Write {path}, or take {name!r} out of companion.yaml",
        )
    return parse_manifest(data, path)


def seen_backends(repo: Repository, rev: str | None = None) -> dict[str, LockEntry]:
    """What each backend ran when this device last used it; nothing where that cannot be read."""
    path = lock_path(device())
    with suppress(CompanionProblem):
        data = read_small_at(repo, path, rev) if rev or repo.head().commit else None
        return parse_lock(data, path) if data is not None else {}
    return {}


def backend_spec(manifest: Manifest) -> BackendSpec:
    """What a driver needs of a manifest."""
    return BackendSpec(
        name=manifest.name,
        driver=manifest.driver,
        model=manifest.model,
        address=manifest.address,
        key=manifest.key,
        context_window=manifest.context_window,
        parameters=manifest.parameters,
        allow_http=manifest.allow_http,
        connect_timeout=manifest.connect_timeout,
        timeout=manifest.timeout,
        shape=manifest.shape,
    )
