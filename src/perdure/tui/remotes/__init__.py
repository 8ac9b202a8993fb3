"""Sync, backup and drill from the chat screen, beside the conversation.

Outcome: what came of it, in one line; what went wrong is an error of its own.

Begin with `controller`; what it does is `perdure.rescue.attended`'s and the drill's.
"""
