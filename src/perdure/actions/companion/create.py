"""Create a companion: a template, a backend that answers, the first commit."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path

from perdure.actions.trust import confirm
from perdure.backends.ollama.discover import find_ollama
from perdure.backends.store.catalogue import what_is_missing
from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.names import check_name
from perdure.companion.templates import new_companion
from perdure.git.config.user import human
from perdure.git.repository.create import create_repository
from perdure.snapshot.author import author_of

_EMBEDDED_MODEL = "smollm2-135m-instruct"
# Without a penalty the small model falls into saying one sentence over and over; without a limit it
# never ends.
_EMBEDDED_PARAMETERS = {"temperature": 0.7, "repeat_penalty": 1.15, "max_tokens": 240}


@dataclass(frozen=True, slots=True)
class CreatedCompanion:
    """A new companion. ``voice`` says in a sentence which model speaks for her."""

    name: str
    path: Path
    commit: str
    backend: str
    model: str
    voice: str


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
