"""A drill's report, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from perdure.plural import plural

_SHOWN = 5
_LETTERS = 200
_HEADS = {
    "proven": "A restore from {remote} works",
    "unproven": "A restore from {remote} is not fully proven",
    "untried": "A restore from {remote} could not be proven",
    "broken": "A RESTORE FROM {remote} DOES NOT WORK",
}


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """One report, as `perdure.rescue.drill.report.DrillReport.to_dict` has it."""
    if "at" not in report:
        yield f"No restore from {report['remote']} was tried yet: perdure drill {report['remote']}"
        return
    when = f" ({report['depth']}, {report['at'][:16].replace('T', ' ')})"
    verdict = report["verdict"]
    if verdict == "unproven" and not report["branches"]:
        verdict = "untried"
    yield _HEADS[verdict].format(remote=report["remote"]) + when
    for finding in report["findings"]:
        step = f" -> {finding['next']}" if finding["next"] else ""
        yield f"  {finding['what']}{step}"
    if report["objects"]:
        yield (
            f"  {report['objects']:,} objects hashed and connected, "
            f"{plural(report['chunks'], 'conversation file')} read, "
            f"{plural(report['prompts'], 'prompt')} rebuilt, in {report['seconds']:.1f} s"
        )
    for reply in report["replies"]:
        if not reply["problem"]:
            text = " ".join(reply["text"].split())
            yield f"  {reply['backend']} said: {text[:_LETTERS]}"
    branches = sorted(report["branches"].items(), key=lambda row: -(row[1]["there"] or 0))
    for name, turns in branches[:_SHOWN]:
        yield f"  {name}: {_turns(turns)}"
    if len(branches) > _SHOWN:
        yield f"  and {plural(len(branches) - _SHOWN, 'more branch', 'more branches')}"


def _turns(turns: Mapping[str, int | None]) -> str:
    here, there = turns["here"], turns["there"]
    if there is None:
        return f"{plural(here or 0, 'turn')} here, none came back"
    if here is None:
        return f"{plural(there, 'turn')} came back; no such branch is here"
    if here == there:
        return f"{plural(there, 'turn')}, as here"
    return f"{plural(there, 'turn')} came back, {here:,} are here"
