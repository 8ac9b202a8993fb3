"""Who said a reply: the companion, under any name she has had, or another speaker."""

from __future__ import annotations

from collections.abc import Collection

from perdure.companion.config.settings import CompanionSettings
from perdure.companion.names import normalised
from perdure.companion.turns import Reply, Turn


def current_name(turn: Turn, reply: Reply, settings: CompanionSettings) -> str:
    """The speaker's current name."""
    return settings.name if is_hers(turn, reply, settings.her_names) else reply.speaker


def is_hers(turn: Turn, reply: Reply, names: Collection[str]) -> bool:
    """Whether the companion said it, rather than another speaker in a group.

    Only the program writes ``backend`` and ``interrupted``, and only about her. A greeting is hers:
    one reply in turn 0; several are the beginning of a conversation of several. The rest is known
    from the name, and a reply whose name was lost is hers.

    Args:
        turn: the turn that the reply stands in.
        reply: the reply.
        names: her name and those that she had before.
    """
    made = bool(reply.backend) or reply.interrupted
    greeting = turn.number == 0 and turn.message is None and len(turn.replies) == 1
    return made or greeting or not reply.speaker or normalised(reply.speaker) in names
