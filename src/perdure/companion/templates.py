"""Templates, and the files of a new companion's first commit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from perdure.companion import readme
from perdure.companion.config import manifest as manifests
from perdure.companion.config.manifest import Manifest
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.conversation.escape import escape_field
from perdure.companion.errors import BadFile, UnknownTemplate
from perdure.companion.names import check_name, slug
from perdure.companion.yaml import schema, strict
from perdure.companion.yaml.quote import scalar

RESTORE = "RESTORE.md"
BOUNDARIES_PATH = "persona/90-boundaries.md"

_COPIED = ("persona", "lore", "probes", "assets")
_TEXTS = Path(__file__).parent / "texts"
_BLANK = "blank"
_FIELD = re.compile(r"\{\{\{(\w+)\}\}\}|\{\{(\w+)\}\}")
_FILE_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """One template: a persona to start from. ``default_name`` is for companions without a name."""

    title: str
    summary: str
    language: str = "en"
    default_name: str = ""
    name: str = ""
    """Of its folder."""


def templates_folder() -> Path:
    """The folder of templates: in the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parents[1] / "templates"


def templates(root: Path | None = None) -> list[TemplateInfo]:
    """All templates in ``root`` (default: perdure's own), by name. Raises BadFile."""
    folder = root or templates_folder()
    if not folder.is_dir():
        return []
    return [_info(path.parent) for path in sorted(folder.glob("*/template.yaml"))]


def _info(folder: Path) -> TemplateInfo:
    where = f"templates/{folder.name}/template.yaml"
    node = strict.read_mapping((folder / "template.yaml").read_bytes(), where)
    return replace(schema.convert(node, TemplateInfo, where), name=folder.name)


def _find(name: str, root: Path) -> tuple[TemplateInfo, Path]:
    known = templates(root)
    for info in known:
        if info.name == name:
            return info, root / name
    names = ", ".join(info.name for info in known) or "none"
    raise UnknownTemplate(f"there is no template '{name}'", next_step=f"templates: {names}")


def new_companion(
    *,
    template: str,
    name: str,
    user: str,
    manifest: Manifest,
    at: datetime,
    root: Path | None = None,
) -> dict[str, bytes]:
    """Every file of a companion's first commit, by path.

    Args:
        template: Name of a template.
        name: The companion's name; "" takes the template's default.
        user: What the companion calls the user.
        manifest: The backend to begin with; it stands first and alone in companion.yaml.
        at: When this is, for the README.
        root: Another folder of templates than perdure's own.

    Raises:
        UnknownTemplate: no template has that name.
        BadName: the name cannot become a folder, or holds control characters.
    """
    info, folder = _find(template, root or templates_folder())
    name = check_name(name or info.default_name)
    user = check_name(user)
    fields = {
        "char": name,
        "user": user,
        "slug": slug(name),
        "name_yaml": scalar(name),
        "user_yaml": scalar(user),
        "backend_yaml": scalar(manifest.name),
        "language": info.language,
    }
    files = dict(_template_files(folder))
    files[SETTINGS] = _text(SETTINGS, info.language, fields)
    files[manifests.manifest_path(manifest.name)] = manifests.render_manifest(manifest)
    return files | pages(name, user, info.language, at, files, summary=info.summary)


def pages(
    name: str, user: str, language: str, at: datetime, paths: Iterable[str], *, summary: str = ""
) -> dict[str, bytes]:
    """The files of a new companion that say what she is and how to read her, and git's own two.

    Args:
        name: the companion's.
        user: what she calls the user.
        language: of the texts.
        at: when this is.
        paths: the other files, for the avatar among them.
        summary: a sentence about her, for the README.
    """
    shown = {"char": escape_field(name), "user": escape_field(user), "slug": slug(name)}
    page = {**shown, "since": f"{at:%Y-%m-%d}", "summary": summary and escape_field(summary)}
    front = readme.updated_readme(
        re.sub(rb"\n{3,}", b"\n\n", _text("readme.md", language, page)),
        name=name,
        months=[f"{at:%Y-%m}"],
        assets=[path.removeprefix("assets/") for path in paths if path.startswith("assets/")],
    )
    return {
        RESTORE: _text("restore.md", language, shown),
        readme.README_PATH: front,
        ".gitattributes": (_TEXTS / "gitattributes").read_bytes(),
        ".gitignore": (_TEXTS / "gitignore").read_bytes(),
    }


def boundaries_file(language: str, root: Path | None = None) -> bytes:
    """The standard boundaries in ``language``, or in English if there are none.

    For `BOUNDARIES_PATH` of a persona that has none. Raises UnknownTemplate where no template
    carries any.
    """
    folder = root or templates_folder()
    wanted = (language.lower(), language.lower().partition("-")[0], "en")
    found: dict[str, bytes] = {}
    for info in sorted(templates(folder), key=lambda info: (info.name != _BLANK, info.name)):
        path = folder / info.name / BOUNDARIES_PATH
        if path.is_file():
            found.setdefault(info.language.lower(), path.read_bytes())
    for choice in wanted:
        if choice in found:
            return found[choice]
    raise UnknownTemplate("no template has boundaries", next_step="install perdure again")


def _template_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for top in _COPIED:
        for path in sorted((folder / top).rglob("*")):
            inside = path.relative_to(folder)
            if path.is_symlink() or not path.is_file():
                continue
            if any(part.startswith(".") for part in inside.parts):
                continue
            if path.stat().st_size > _FILE_LIMIT:
                raise BadFile(f"templates/{folder.name}/{inside.as_posix()}", 0, "too large")
            yield inside.as_posix(), path.read_bytes()


def _text(name: str, language: str, fields: Mapping[str, str]) -> bytes:
    """One of our texts in ``language`` (or English), with its fields filled in.

    ``{{{char}}}`` becomes the mark ``{{char}}`` itself.
    """
    stem, _, suffix = name.partition(".")
    path = _TEXTS / f"{stem}.{language.lower().partition('-')[0]}.{suffix}"
    if not path.is_file():
        path = _TEXTS / f"{stem}.en.{suffix}"

    def value(found: re.Match[str]) -> str:
        return "{{" + found[1] + "}}" if found[1] else fields[found[2]]

    return _FIELD.sub(value, path.read_text(encoding="utf-8")).encode()
