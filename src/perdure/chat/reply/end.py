"""What the user is told about how a reply ended."""

from __future__ import annotations

from perdure.actions.turns.pending import TurnKind
from perdure.backends.protocol import Backend
from perdure.chat.events import Failed
from perdure.chat.reply.stream import StreamedReply
from perdure.notice import Notice

_KEPT = "Your message is kept, unanswered."
_AGAIN = "ask again with: perdure say --resume"
_APART = (
    "Let its server cut thoughts out (llama.cpp: --reasoning-format deepseek; vLLM: "
    "--reasoning-parser)"
)


def end_events(kind: TurnKind, streamed: StreamedReply, backend: Backend) -> list[Notice | Failed]:
    """The notices once the turn is saved, or given up.

    Args:
        kind: of the turn.
        streamed: what came.
        backend: it came from.
    """
    limit, failure = streamed.reply_tokens, streamed.failure
    if streamed.reply is not None:
        failure = failure or _broken_off(streamed, backend)
        notices = _notices(streamed, backend, limit)
        return [*notices, failure] if failure is not None else [*notices]
    if failure is None and not streamed.stopped:
        failure = _nothing_said(streamed, backend, limit)
    if failure is None:
        return []
    return [_as_before(failure) if kind is TurnKind.ANOTHER else failure]


def _as_before(failed: Failed) -> Failed:
    """What to tell where no other answer came: the turn has its reply."""
    step = failed.next_step.replace("perdure say --resume", "perdure regenerate")
    return Failed(failed.what, "Everything is as it was before.", step)


def _notices(streamed: StreamedReply, backend: Backend, limit: int) -> list[Notice]:
    """What the user should know about a reply that is there; it might have ``limit`` tokens."""
    notices = []
    if streamed.unsaid:
        notices.append(
            Notice(
                f"{backend.spec.name} sent its thoughts before the words, with only the end mark; "
                f"they are left out of the reply. {_APART}."
            )
        )
    if streamed.finished is not None and streamed.finished.stop == "length":
        notices.append(
            Notice(
                f"The reply was cut at its limit of {limit:,} tokens. Ask for the rest; for longer "
                f"replies, raise {_limit_setting(backend, limit)}."
            )
        )
    return notices


def _limit_setting(backend: Backend, limit: int) -> str:
    """Where the number stands that a reply was cut at."""
    own = backend.spec.parameters.get("max_tokens")
    if isinstance(own, int) and own <= limit:
        return f"max_tokens in backends/{backend.spec.name}.yaml"
    return "context.reply_tokens in companion.yaml"


def _broken_off(streamed: StreamedReply, backend: Backend) -> Failed | None:
    """Why a reply that has words is no whole one, where no error and no user ended it."""
    stop = streamed.finished.stop if streamed.finished is not None else None
    name = backend.spec.name
    match stop:
        case "refused":
            what = f"a filter of {name} cut the reply off"
            step = "Say it differently, or choose another backend for the next reply"
        case "cancelled":
            what = f"{name} broke its reply off"
            step = "To hear the rest, ask for it in your next message"
        case "unclosed":
            what = f"{name} never closed its thoughts, so what came may be thoughts, words, or both"
            step = (
                f"For another answer: perdure regenerate. If it happens again, raise "
                f"context.reply_tokens in companion.yaml, or turn thinking off. {_APART}"
            )
        case _:
            return None
    return Failed(what, "What came of the reply is kept, marked interrupted.", step)


def _nothing_said(streamed: StreamedReply, backend: Backend, limit: int) -> Failed:
    """Why a message stands unanswered though the model ended its reply."""
    finished, name = streamed.finished, backend.spec.name
    if finished is not None and finished.tool:
        return Failed(
            f"{name} asked for the tool {finished.tool[:60]!r} and said nothing; none are here.",
            _KEPT,
            f"Turn tools off at its server or choose another model, then {_AGAIN}",
        )
    if streamed.thought.strip() and finished is not None and finished.stop == "length":
        return Failed(
            f"{name} spent the whole reply of {limit:,} tokens on thoughts, and had none left for "
            "words.",
            _KEPT,
            f"Raise {_limit_setting(backend, limit)}, or turn thinking off at its server, then "
            f"{_AGAIN}",
        )
    if streamed.thought.strip():
        return Failed(
            f"{name} only thought, and said nothing.",
            _KEPT,
            "Ask again with: perdure say --resume. If that ends the same way, turn thinking off at "
            "its server",
        )
    return Failed(f"{name} answered with nothing.", _KEPT, "Ask again with: perdure say --resume")
