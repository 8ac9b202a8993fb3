"""The package index that this machine uses, found as its installers find it.

Read in this order, the first that names an index wins: pip's and uv's environment variables, pip's
configuration files (https://pip.pypa.io/en/stable/topics/configuration/), uv's
(https://docs.astral.sh/uv/concepts/configuration-files/), and last the default that pip carries in
its own code. Extra indexes of the same places are tried after it.
"""

from __future__ import annotations

import configparser
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perdure.backends.errors import FetchFailed
from perdure.environment import child_environment

_ASK_PIP = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """Index addresses in the order to try; ``cert`` is a file of trusted authorities."""

    indexes: tuple[str, ...]
    cert: str = ""


@dataclass(slots=True)
class _Settings:
    index: str = ""
    extra: list[str] = field(default_factory=list)
    cert: str = ""
    no_index: bool = False

    def lower(self, other: _Settings) -> None:
        """Fill in what is not set yet from a source of lower rank."""
        self.index = self.index or other.index
        self.cert = self.cert or other.cert
        self.no_index = self.no_index or other.no_index
        self.extra += [address for address in other.extra if address not in self.extra]


def find_package_index() -> PackageIndex:
    """The package index that this machine has configured.

    Raises:
        FetchFailed: pip is told to use no index, or no place names one.
    """
    settings = _from_environment(os.environ)
    settings.lower(_from_pip_files())
    settings.lower(_from_uv_files())
    if settings.no_index:
        raise FetchFailed("pip is configured to use no package index (no-index)")
    main = settings.index or _default_index()
    addresses = [main, *settings.extra] if main else settings.extra
    usable = tuple(each.rstrip("/") for each in addresses if each.startswith(("https:", "http:")))
    if not usable:
        raise FetchFailed("no package index is configured on this machine")
    return PackageIndex(usable, settings.cert)


def _from_environment(env: Mapping[str, str]) -> _Settings:
    extra = " ".join(env.get(name, "") for name in ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"))
    # UV_INDEX may name its indexes: ``name=address``.
    named = [each.rsplit("=", 1)[-1] for each in env.get("UV_INDEX", "").split()]
    names = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
    return _Settings(
        index=next((env[name].strip() for name in names if env.get(name)), ""),
        extra=extra.split() + named,
        cert=env.get("PIP_CERT", ""),
        no_index=env.get("PIP_NO_INDEX", "").lower() in {"1", "true", "yes", "on"},
    )


def _pip_files() -> list[Path]:
    """Pip's configuration files, highest rank first."""
    chosen = os.environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path.home()
    user = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    places = [Path(sys.prefix), user / "pip", home / ".pip"]
    if sys.platform == "darwin":
        support = Path("Library/Application Support/pip")
        places += [home / support, Path("/") / support]
    shared = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    places += [Path(each) / "pip" for each in shared] + [Path("/etc")]
    files = [place / "pip.conf" for place in places]
    return [Path(chosen), *files] if chosen else files


def _from_pip_files() -> _Settings:
    found = _Settings()
    for path in _pip_files():
        # pip's values are plain: a percent sign in a password is no reference.
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text())
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        for section in ("download", "install", "global"):
            if parser.has_section(section):
                values = parser[section]
                found.lower(
                    _Settings(
                        values.get("index-url", "").strip(),
                        values.get("extra-index-url", "").split(),
                        values.get("cert", "").strip(),
                        values.get("no-index", "").lower() in {"1", "true", "yes", "on"},
                    )
                )
    return found


def _from_uv_files() -> _Settings:
    found = _Settings()
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for path in (user / "uv/uv.toml", Path("/etc/uv/uv.toml")):
        try:
            data = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        for table in (data, data.get("pip")):
            if isinstance(table, dict):
                found.lower(_uv_table(table))
    return found


def _uv_table(table: Mapping[str, Any]) -> _Settings:
    index = table.get("index-url")
    extra = _texts(table.get("extra-index-url"))
    entries = table.get("index")
    for entry in entries if isinstance(entries, list) else ():
        address = entry.get("url") if isinstance(entry, dict) else None
        if isinstance(address, str) and entry.get("default") is True:
            index = index or address
        elif isinstance(address, str):
            extra.append(address)
    return _Settings(index if isinstance(index, str) else "", extra)


def _texts(value: object) -> list[str]:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [each for each in value if isinstance(each, str)]
    return []


def _default_index() -> str:
    """Pip's default index, as pip states it; empty without pip.

    An environment made by uv or pipx has no pip of its own: the one that Python carries for
    ``ensurepip`` is asked then, and last the machine's own Python.
    """
    attempts = [([sys.executable], "")]
    bundled = importlib.util.find_spec("ensurepip")
    for folder in (bundled.submodule_search_locations or ()) if bundled else ():
        wheels = sorted(Path(folder, "_bundled").glob("pip-*.whl"))
        attempts += [([sys.executable], str(wheel)) for wheel in wheels]
    outer = shutil.which("python3")
    if outer:
        attempts.append(([outer], ""))
    for command, path in attempts:
        env = child_environment("PIP_")
        env |= {"PYTHONPATH": path} if path else {}
        # From the root: with -c, Python imports from the folder one stands in, a stranger's maybe.
        answer = subprocess.run(
            [*command, "-c", _ASK_PIP],
            env=env,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0 and answer.stdout.startswith("http"):
            return answer.stdout.strip()
    return ""
