"""Check a persona's files for mistakes, and for parts that cost many tokens.

No model is asked and nothing is guessed at: the same files give the same findings. A finding never
repeats a key or a password.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from perdure.companion.memory.facts import read_facts
from perdure.companion.memory.lore import read_lore
from perdure.companion.persona.check_files import (
    file_findings,
    name_collisions,
    read_texts,
    secret_findings,
)
from perdure.companion.persona.check_names import name_findings
from perdure.companion.persona.check_placeholders import placeholder_findings
from perdure.companion.persona.check_tokens import (
    Count,
    FileSize,
    Sizes,
    Window,
    size_findings,
    sizes_of,
)
from perdure.companion.persona.findings import Finding, PersonaTexts, mask, mask_finding


@dataclass(frozen=True, slots=True)
class PersonaReport:
    """The findings, problems first, then by file and line; and the size of each file."""

    findings: tuple[Finding, ...]
    sizes: Sizes


def check_persona(
    files: Mapping[str, bytes],
    *,
    name: str,
    user: str,
    count: Count,
    windows: Sequence[Window] = (),
    examples_budget: int = 0,
    beside: Mapping[str, bytes] | None = None,
    more: Sequence[Finding] = (),
) -> PersonaReport:
    """Check a persona.

    Args:
        files: every file below ``persona/`` by its path, also those that are not read.
        name: the companion's name in companion.yaml.
        user: the user's name there.
        count: tokens of a text.
        windows: what each backend that is listed takes in.
        examples_budget: tokens that sample conversations may take.
        beside: companion.yaml and files of other folders: searched for keys, and lore and facts
            for what cannot be read.
        more: what others have found, to be listed with the rest.
    """
    texts, unreadable = read_texts(files)
    persona = PersonaTexts(name, user, tuple(texts), files)
    sizes = sizes_of(persona, count, windows, examples_budget)
    found = [
        *more,
        *unreadable,
        *name_collisions([*files, *(beside or {})]),
        *_broken(beside or {}),
        *file_findings(persona),
        *secret_findings({**files, **(beside or {})}),
        *name_findings(persona),
        *placeholder_findings(persona),
        *size_findings(persona, sizes, count, windows),
    ]
    once = dict.fromkeys(map(mask_finding, found))
    ordered = sorted(once, key=lambda each: (each.severity != "problem", each.path, each.line))
    shown = tuple(FileSize(mask(each.path)[0], each.kind, each.tokens) for each in sizes.files)
    return PersonaReport(tuple(ordered), Sizes(shown, sizes.window, sizes.examples_budget))


def _broken(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Lore and facts that cannot be read; their own commands say more."""
    for troubles, fix in (
        (read_lore(files)[1], "correct it; perdure lore list shows what is read"),
        (read_facts(files)[1], "correct it; perdure memory list shows what is read"),
    ):
        for each in troubles:
            yield Finding("problem", "unreadable", each.path, each.line, each.what, fix)
