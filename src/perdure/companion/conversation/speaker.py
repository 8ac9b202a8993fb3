"""Whose words a reply is: the companion's under any name she had, or another speaker's."""

from __future__ import annotations

from collections.abc import Collection

from perdure.companion.config.settings import CompanionSettings
from perdure.companion.names import normalised
from perdure.companion.turns import Reply, Turn


def current_name(turn: Turn, reply: Reply, settings: CompanionSettings) -> str:
    """Who said a reply, as the speaker is called now."""
    return settings.name if is_hers(turn, reply, settings.her_names) else reply.speaker


def is_hers(turn: Turn, reply: Reply, names: Collection[str]) -> bool:
    """Whether the companion said it, and not somebody else in a talk of several.

    Only the program writes ``backend`` and ``interrupted``, and only about her. A greeting is hers:
    one reply in turn 0; several are the beginning of a talk of several. The rest is told by the
    name, and a reply whose name was lost is hers.

    Args:
        turn: the turn that the reply stands in.
        reply: the reply.
        names: her name and those that she had before.
    """
    made = bool(reply.backend) or reply.interrupted
    greeting = turn.number == 0 and turn.message is None and len(turn.replies) == 1
    return made or greeting or not reply.speaker or normalised(reply.speaker) in names
