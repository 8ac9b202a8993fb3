"""The persona and the findings of its check, as lines for people and records for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from perdure.cli.render.output import styled
from perdure.companion.persona.persona import PUT_BACK
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.companion.errors import FileTrouble
    from perdure.companion.persona.check_tokens import Window
    from perdure.companion.persona.findings import Finding
    from perdure.snapshot.persona import PersonaPart
    from perdure.views.persona_check import PersonaCheck

_SAID = {
    "prompt": "",
    "reminder": "repeated near the end of the prompt",
    "greeting": "opens a conversation",
    "example": "sample dialogue, left out first",
}
_COLOURS = {"problem": "red", "advice": "yellow"}


def check_lines(checked: PersonaCheck) -> Iterator[str]:
    """The findings, then each file's size."""
    findings = checked.report.findings
    for finding in findings:
        yield from _finding(finding)
    if findings:
        counts = [
            plural(count, what, whats)
            for what, whats in (("problem", "problems"), ("advice", "advice"))
            if (count := sum(each.severity == what for each in findings))
        ]
        yield styled(", ".join(counts), bold=True)
        yield ""
    else:
        yield styled("Nothing found.", "green")
        yield ""
    yield from _sizes(checked)


def _finding(finding: Finding) -> Iterator[str]:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    kind = styled(finding.severity, _COLOURS[finding.severity])
    yield f"{kind}  {styled(place, bold=True)}"
    yield styled(f"  {finding.what}" + "." * (not finding.what.endswith("?")))
    yield styled(f"  → {finding.next_step}", dim=True)


def _sizes(checked: PersonaCheck) -> Iterator[str]:
    sizes = checked.report.sizes
    if not sizes.files:
        return
    width = max(len(each.path) for each in sizes.files)
    yield styled(f"{'tokens':>8}  {'share':>6}  file", dim=True)
    for each in sizes.files:
        share = f"{sizes.share(each):6.1%}" if sizes.window else " " * 6
        about = _SAID[each.kind]
        shown = f"{each.path.ljust(width)}  {about}".rstrip()
        yield styled(f"{each.tokens:>8,}  {share}  {shown}")
    yield ""
    yield styled(
        f"In every prompt: {sizes.always:,} tokens, and up to {sizes.examples:,} of "
        "sample dialogue."
    )
    window = sizes.window
    if window is None:
        yield styled("No listed backend can be read, so there is no window to compare with.")
    else:
        for one in checked.windows:
            yield styled(_window_line(one))
        if sizes.left is not None and sizes.left >= 0:
            yield styled(
                f"Left for conversation, memory and lore with {window.backend}: {sizes.left:,} "
                "tokens."
            )
    exact = "" if checked.exact else ", which may be some percent off"
    yield styled(f"Counted by {checked.counted_by}{exact}.", dim=True)


def _window_line(window: Window) -> str:
    assumed = " (assumed: its size is not known here)" if window.assumed else ""
    return (
        f"{window.backend}: a window of {window.tokens:,}{assumed}, {window.reply:,} kept for the"
        f" reply, {window.room:,} for the prompt."
    )


def check_record(checked: PersonaCheck) -> dict[str, object]:
    """The check as plain data: tokens, and shares of the smallest window from 0 to 1."""
    sizes = checked.report.sizes
    return {
        "findings": [finding.to_dict() for finding in checked.report.findings],
        "files": [
            {
                "path": each.path,
                "kind": each.kind,
                "tokens": each.tokens,
                "share": round(sizes.share(each), 4) if sizes.window else None,
            }
            for each in sizes.files
        ],
        "always": sizes.always,
        "examples": sizes.examples,
        "left": sizes.left,
        "smallest": sizes.window.backend if sizes.window else None,
        "backends": [
            {
                "name": each.backend,
                "window": each.tokens,
                "assumed": each.assumed,
                "reply": each.reply,
                "room": each.room,
            }
            for each in checked.windows
        ],
        "counted_by": checked.counted_by,
        "exact": checked.exact,
    }


def show_lines_of(
    parts: Sequence[PersonaPart], counted_by: str, left_out: Sequence[FileTrouble] = ()
) -> Iterator[str]:
    """The persona's texts, each below its path and size, and what is left out of them."""
    for part in parts:
        about = f" · {_SAID[part.kind]}" if _SAID[part.kind] else ""
        yield styled(f"{part.path} · {part.tokens:,} tokens{about}", dim=True)
        yield styled(part.text)
        yield ""
    yield from map(left_out_line, left_out)
    total = sum(part.tokens for part in parts)
    yield styled(f"{total:,} tokens, counted by {counted_by}.", dim=True)


def left_out_line(each: FileTrouble) -> str:
    """That some text of a file does not reach her, and what to do about it."""
    return styled(f"{each}. {PUT_BACK[:1].upper()}{PUT_BACK[1:]}.", "yellow")


def show_record(
    parts: Sequence[PersonaPart], counted_by: str, left_out: Sequence[FileTrouble] = ()
) -> dict[str, object]:
    """The persona as plain data."""
    return {
        "files": [
            {"path": part.path, "kind": part.kind, "tokens": part.tokens, "text": part.text}
            for part in parts
        ],
        "tokens": sum(part.tokens for part in parts),
        "counted_by": counted_by,
        "left_out": [
            {"path": each.path, "line": each.line, "what": each.what} for each in left_out
        ],
    }
