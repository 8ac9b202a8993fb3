"""``perdure why``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from perdure.cli.render.output import as_json, show_lines, styled
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import chosen_companion, open_repository, usual_options

if TYPE_CHECKING:
    from perdure.companion.ids import TurnId
    from perdure.git.repository.repository import Repository
    from perdure.views.why.explain import ExplainedPart, Explanation

_FINDINGS = 3


@click.command("why")
@click.argument("turn", default="@", metavar="[TURN]")
@click.option("--answer", type=click.IntRange(1), metavar="N", help="Which answer.")
@click.option("--next", "text", metavar="TEXT", help="Show what would be sent for TEXT now.")
@click.option("--messages", is_flag=True, help="Print the messages, word for word.")
@usual_options
def command(turn: str, *, answer: int | None, text: str | None, messages: bool) -> None:
    """Show the prompt behind a reply, part by part.

    The prompt is rebuilt from the turn's commit and checked against the hash recorded there. Each
    part is shown with its source, its tokens, and why it is included.

    Name a turn by `@` (the last one), `@-3`, a number in the last conversation such as `7`, any
    unique piece of its id, or a day. For an answer that was replaced, add its number: `--answer 1`,
    or `7~1`.

    With --next, it shows what would be sent, and what recall finds; nothing is sent or saved.

    The exit code is 0 if the hash matches or none was recorded, and 3 if it does not match.
    """
    found = _next(text) if text is not None else _past(turn, answer or 0)
    if not as_json(_record(found)):
        show_lines(_messages(found) if messages else _lines(found))
    if found.verdict == "differs":
        sys.exit(_FINDINGS)


def _past(name: str, answer: int) -> Explanation:
    from perdure.views.why.explain import explain

    name, _, number = name.partition("~")
    with open_repository() as repo:
        turn = _turn_of(repo, name)
        answer = answer or (int(number) if number.isdigit() and len(number) < 7 else 0)
        return explain(repo, turn, answer=answer, progress=IndexProgress())


def _turn_of(repo: Repository, name: str) -> TurnId:
    from perdure.companion.ids import TurnId
    from perdure.snapshot.conversation.turn_names import find_turn_at
    from perdure.snapshot.errors import UnknownTurn

    head = repo.head().commit
    if head is None:
        raise UnknownTurn("nothing has been said here yet.")
    found = TurnId.read(name) or find_turn_at(repo, head, name, IndexProgress())
    if found is None:
        raise UnknownTurn(
            f"there is no turn {name!r} here.", next_step="perdure log --turns lists them"
        )
    return found


def _next(text: str) -> Explanation:
    from perdure.chat.session import preview
    from perdure.cli.render.output import wait_for

    path = chosen_companion()
    return wait_for("Preparing what would be sent", lambda: preview(path, text))


def _record(found: Explanation) -> dict[str, object]:
    return {
        "turn": str(found.turn) if found.turn is not None else None,
        "answer": found.answer or None,
        "commit": found.commit or None,
        "base": found.base or None,
        "verdict": found.verdict,
        "note": found.note,
        "assembly": found.assembly or None,
        "backend": found.backend,
        "model": found.model,
        "recorded": found.recorded or None,
        "rebuilt": found.rebuilt or None,
        "tokens": found.tokens,
        "reply_tokens": found.reply_tokens,
        "window": found.window or None,
        "counter": found.counter,
        "exact": found.exact,
        "before": str(found.before) if found.before is not None else None,
        "shared": round(found.shared, 4) if found.shared is not None else None,
        "shape": found.shape or None,
        "parts": [_part_record(part) for part in found.parts],
        "left_out": [
            {"kind": each.kind, "source": each.source, "reason": each.reason, "score": each.score}
            for each in found.left_out
        ],
        "messages": [
            {"role": each.role, "content": each.content}
            | ({"name": each.name} if each.name else {})
            for each in found.messages
        ],
    }


def _part_record(part: ExplainedPart) -> dict[str, object]:
    return {
        "kind": part.kind,
        "source": part.source,
        "line": part.line or None,
        "tokens": part.tokens,
        "reason": part.reason,
        "taught_by": part.taught_by or None,
        "score": part.score,
        "text": part.text,
    }


def _lines(found: Explanation) -> Iterator[str]:
    yield from _head(found)
    yield from _parts(found)
    if found.left_out:
        yield from ("", styled("left out", "yellow"))
    for each in found.left_out:
        why = styled(f"{each.reason}{_score(each.score)}", dim=True)
        yield f"  {each.kind:<8}  {styled(each.source)}  {why}"
    if found.shared is not None:
        yield from ("", styled(f"prefix shared with the turn before: {found.shared:.0%}"))
    yield from ("", *_verdict(found))


def _messages(found: Explanation) -> Iterator[str]:
    yield from _head(found)
    for message in found.messages:
        name = f" ({message.name})" if message.name else ""
        yield from ("", styled(f"── {message.role}{name} ──", bold=True))
        yield from map(styled, message.content.split("\n"))
    yield from ("", *_verdict(found))


def _head(found: Explanation) -> Iterator[str]:
    if found.turn is None:
        title = "what would be sent now"
    else:
        title = f"turn {found.turn}" + (f", answer {found.answer}" if found.answer > 1 else "")
    yield styled(title, "yellow")
    if found.commit:
        made = f", made from {found.base[:12]}" if found.base else ""
        yield styled(f"commit {found.commit[:12]}{made}", dim=True)
    if found.assembly:
        who = f"{found.backend} ({found.model})" if found.model else found.backend
        yield styled(f"{who}, rules of version {found.assembly}", dim=True)
    if found.shape:
        yield styled(f"folded for the model: sent with {found.shape}", dim=True)


def _parts(found: Explanation) -> Iterator[str]:
    if not found.parts:
        return
    width = max(len(_source(part)) for part in found.parts)
    yield ""
    yield styled(f"{'tokens':>7}  {'part':<8}  {'from':<{width}}  why", dim=True)
    for part in found.parts:
        taught = f", learned from {part.taught_by}" if part.taught_by else ""
        why = styled(f"{part.reason}{taught}{_score(part.score)}", dim=True)
        yield f"{part.tokens:>7,}  {part.kind:<8}  {styled(f'{_source(part):<{width}}')}  {why}"
    whole = f"{found.tokens:,} tokens in all"
    if found.window:
        whole += f" of {found.window:,}"
    if found.reply_tokens:
        whole += f", {found.reply_tokens:,} in the reply"
    by = "" if found.counter == "estimate" else f" by {found.counter}"
    note = "" if found.exact else f"; those of the parts are estimated{by}"
    yield from ("", styled(f"{whole}{note}"))


def _source(part: ExplainedPart) -> str:
    return f"{part.source}:{part.line}" if part.line else part.source


def _score(score: float | None) -> str:
    return f" (score {score:.2f})" if score is not None else ""


def _verdict(found: Explanation) -> list[str]:
    if found.verdict == "matches":
        return [styled(f"The prompt's hash matches: {found.recorded}", "green")]
    if found.verdict == "differs":
        said = f"recorded {found.recorded}"
        said += f", rebuilt {found.rebuilt}" if found.rebuilt else ", not rebuilt"
        return [styled(f"The prompt's hash does not match: {said}", "red"), styled(found.note)]
    return [styled(found.note)] if found.note else []
