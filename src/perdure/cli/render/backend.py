"""Backends as lines for people and records for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.backends.hosted.request_form import RequestForm, difference
from perdure.cli.render.output import print_line, print_styled, styled
from perdure.errors import one_line

if TYPE_CHECKING:
    from perdure.actions.agreement import UnagreedSetting
    from perdure.actions.backends.check import BackendStatus, TestCall
    from perdure.actions.backends.manage import BackendRow
    from perdure.actions.trust import Unconfirmed

_COLOURS = {"reachable": "green", "drift": "yellow", "unconfirmed": "yellow"}


def show_row(row: BackendRow, found: BackendStatus | None) -> None:
    """One backend: its place in the order, what it is, its state, and what to do about it."""
    order = f"{row.order}." if row.order else "- "
    manifest = row.manifest
    what = f"{manifest.driver}: {manifest.model}" if manifest else "cannot be read"
    pieces = [styled(f"{order} "), styled(row.name, bold=True), styled(f"  {what}")]
    if found is not None:
        pieces += [styled("  "), styled(found.state, _COLOURS.get(found.state, "red"))]
        pieces.append(styled(_facts(found)))
    elif not row.confirmed:
        pieces += [styled("  "), styled("unconfirmed", "yellow")]
    print_styled(*pieces)
    if row.edited:
        when = "once it can be read" if row.problem else "with the next turn"
        print_line(f"   edited by hand, not committed yet; this happens {when}")
    detail = row.problem or (one_line(found.detail, found.next_step) if found else "")
    if detail:
        print_line(f"   {detail}")


def _facts(found: BackendStatus) -> str:
    facts: list[str] = []
    if found.window:
        facts.append(f"window {found.window}")
    if found.key != "none needed":
        facts.append(f"key {found.key}")
    if found.state in ("reachable", "drift"):
        facts.append(f"{found.latency * 1000:.0f} ms")
    if found.state not in ("unconfirmed", "broken"):
        facts.append("leaves this machine" if found.hosted else "this machine")
    return "".join(f" · {fact}" for fact in facts)


def row_record(row: BackendRow, found: BackendStatus | None) -> dict[str, object]:
    """One backend for ``--json``; ``latency`` in seconds, ``window`` in tokens."""
    manifest = row.manifest
    record: dict[str, object] = {
        "name": row.name,
        "order": row.order or None,
        "driver": manifest.driver if manifest else None,
        "model": manifest.model if manifest else None,
        "confirmed": row.confirmed,
        "edited": row.edited,
        "problem": row.problem or None,
    }
    if found is not None:
        there = found.state in ("reachable", "drift")
        record |= {
            "state": found.state,
            "hosted": None if found.state == "unconfirmed" else found.hosted,
            "window": found.window or None,
            "latency": round(found.latency, 4) if there else None,
            "key": found.key,
            "detail": found.detail or None,
            "next_step": found.next_step or None,
        }
    return record


def show_checked(name: str, found: TestCall, *, err: bool = False) -> None:
    """The result of one tiny call."""
    print_line(
        f"{name} answers through {found.model}: first words after {found.trial.first_piece:.2f} s, "
        f"all of it after {found.trial.whole:.2f} s, window {found.window}.",
        err=err,
    )
    nothing = "(only thoughts, no tokens were left for words)" if found.only_thought else ""
    print_line(f"  {found.trial.reply or nothing or '(an empty reply)'}", err=err)
    sent = difference(RequestForm(), found.trial.form)
    if sent:
        print_line(f"  asked {sent}: it refuses more", err=err)
    print_line(f"  prompt: {_counts(found)}", err=err)
    print_line(f"  fingerprint {found.fingerprint}", err=err)


def _counts(found: TestCall) -> str:
    """The prompt's tokens: counted or estimated here, expected, and read by the backend."""
    if found.exact:
        told = f"{found.counted} tokens counted by {found.counted_by}"
    else:
        told = f"{found.counted} tokens estimated here ({found.counted_by})"
    if found.expected != found.counted:
        told += f", {found.expected} expected from its earlier reports"
    if found.reported is None:
        return f"{told}; the backend does not say how many it read"
    told += f"; the backend read {found.reported}"
    if found.reported in (0, found.expected):
        return told
    return f"{told}, {(found.expected / found.reported - 1) * 100:+.0f} %"


def checked_record(found: TestCall) -> dict[str, object]:
    """A check for ``--json``; times in seconds."""
    return {
        "reply": found.trial.reply,
        "model": found.model,
        "fingerprint": found.fingerprint,
        "window": found.window,
        "first_piece": round(found.trial.first_piece, 4),
        "whole": round(found.trial.whole, 4),
        "prompt_tokens_counted": found.counted,
        "prompt_tokens_expected": found.expected,
        "counted_by": found.counted_by,
        "exact": found.exact,
        "prompt_tokens_reported": found.reported,
        "shape": str(found.trial.form.shape),
        "without": list(found.trial.form.without),
    }


def show_unconfirmed(each: Unconfirmed) -> None:
    """What confirming a backend would allow, and who brought it. Printed to stderr."""
    print_line(f"{each.name}  {each.manifest.driver}: {each.manifest.model}", err=True)
    print_line(f"   conversations go to   {each.leads_to}", err=True)
    if each.manifest.key:
        print_line(f"   with the key          {each.manifest.key}", err=True)
    if each.manifest.allow_http:
        print_line(
            "   unencrypted           allow_http: yes, anybody on the way can read it", err=True
        )
    print_line(f"   added by              {each.brought_by}", err=True)
    if each.problem:
        print_line(f"   as it is              {each.problem}", err=True)


def show_unagreed(each: UnagreedSetting) -> None:
    """A setting that another device wrote, and who brought it. Printed to stderr."""
    first, *rest = each.describe()
    print_line(first, err=True)
    for line in rest:
        print_line(f"   {line}", err=True)


def unconfirmed_record(each: Unconfirmed, *, confirmed: bool) -> dict[str, object]:
    """A backend that waits, or waited, to be confirmed, for ``--json``."""
    return {
        "name": each.name,
        "driver": each.manifest.driver,
        "model": each.manifest.model,
        "host": each.host or None,
        "hosted": each.hosted,
        "key": each.manifest.key or None,
        "commit": each.commit.id if each.commit else None,
        "author": each.commit.author.name if each.commit else None,
        "date": each.commit.at.isoformat() if each.commit else None,
        "confirmed": confirmed,
    }
