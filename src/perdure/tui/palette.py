"""What the command palette offers: all that keys do on each screen, and what has no key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from perdure.tui.chat.screen import ChatScreen
from perdure.tui.dialogs.help import named
from perdure.tui.panel import PanelScreen
from perdure.tui.transcript.view import TranscriptView

_MOVES = re.compile(r"(cursor|page|move|end|leave|back)\b|(cursor|page)_")
"""Actions that move a cursor, or lead back: of use as keys only."""
_CHAT = (
    ("New conversation", "Start one with your next message", "new_conversation"),
    ("Conversations", "Open or close the sidebar", "rail"),
    ("Stop the reply", "Keep what came of it", "stop"),
    ("Answer the last message", "Ask for a reply that is missing", "answer"),
    ("Switch backend", "Use another one, from now on or just for the next reply", "backend"),
    (
        "Confirm backends",
        "See where one that came from outside leads, and confirm it or not",
        "confirm_backends",
    ),
    ("Another answer", "To the selected message", "regenerate"),
    ("Correct words", "Of the selected message", "edit"),
    ("Set aside", "Keep the selected turn out of prompts, or bring it back", "aside"),
    ("Undo", "Take back the last thing you did", "undo"),
    ("Redo", "Bring back what was undone", "redo"),
    ("Timeline", "What happened, and the branches", "timeline"),
    ("What was done", "The list of operations, and what undo takes next", "operations"),
    ("The open merge", "Which files have conflicts", "merge"),
    ("Sync", "Bring this companion and her remotes to the same state", "sync"),
    ("Back up", "Push to every remote, and see what is not proven to be safe", "backup"),
    ("Drill", "Prove that a restore works, without touching anything here", "drill"),
    ("Stop the sync or drill", "What was sent stays sent", "stop_remotes"),
    ("Conflicts", "What was changed differently on two devices; choose", "conflicts"),
    ("Memory", "Facts, summaries, and what there is to review", "memory"),
    ("Search all conversations", "Earlier moments, best first", "search"),
    ("The prompt of a turn", "Of the selected one", "prompt"),
    ("What would be sent now", "The prompt for what is in the message box", "prompt_next"),
    ("New branch", "Starts at the selected message, or at the end", "branch"),
    ("Tag", "Name the selected message, or the end", "tag"),
    ("Continue from here", "From the selected message, on a new branch", "rewind"),
    ("Copy the last reply", "Its source text, to the clipboard", "copy_reply"),
    ("Reload the history", "After a change from outside", "reload"),
    ("Show the folder", "Where this companion lives", "folder"),
    ("Keys", "The keys that work here", "keys"),
)


_ALSO = {
    "new_conversation": "chat, session",
    "rail": "list, history of conversations",
    "answer": "retry, resume, continue",
    "backend": "model, provider, voice",
    "regenerate": "regenerate, swipe, retry, reroll",
    "edit": "edit, correct, fix",
    "aside": "hide, delete, forget",
    "undo": "back, revert, rollback",
    "redo": "forward",
    "timeline": "log, history, revert, restore, branches",
    "operations": "ops, log",
    "sync": "push, pull, devices",
    "backup": "push, save, copy",
    "drill": "restore, proof, backup",
    "conflicts": "devices, sync, settle",
    "memory": "remember, facts, summaries",
    "search": "find",
    "prompt": "why, context, tokens",
    "prompt_next": "preview",
    "branch": "fork",
    "tag": "bookmark, name",
    "rewind": "rewind, go back, rollback",
    "copy_reply": "clipboard",
    "folder": "path, backup, export, settings",
    "keys": "help, shortcuts",
}
"""Other words that people look for; the palette searches titles only."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One command, and the node whose action it is."""

    title: str
    help: str
    action: str
    where: Widget

    def run(self) -> None:
        """Run it once the palette is closed."""
        self.where.call_later(self.where.run_action, self.action)


def offers(screen: Screen[object], chat: ChatScreen) -> Iterator[Offer]:
    """What can be done on a screen."""
    if screen is chat:
        keys = {
            plain(each.action): named(each)
            for each in (*chat.BINDINGS, *TranscriptView.BINDINGS)
            if isinstance(each, Binding)
        }
        for title, words, action in _CHAT:
            also = f" ({_ALSO[action]})" if action in _ALSO else ""
            key = f". Key: {keys[action]}" if action in keys else ""
            yield Offer(f"{title}{also}", f"{words}{key}", action, chat)
        known = {action for _, _, action in _CHAT}
        for offer in (*_bound(TranscriptView.BINDINGS, chat.view), *_bound(chat.BINDINGS, chat)):
            if plain(offer.action) not in known:
                yield offer
    elif isinstance(screen, PanelScreen):
        yield from _bound(type(screen).BINDINGS, screen)


def _bound(bindings: Sequence[BindingType], where: Widget) -> Iterator[Offer]:
    for binding in bindings:
        if isinstance(binding, Binding) and not _MOVES.match(binding.action):
            yield Offer(binding.description, f"Key: {named(binding)}", binding.action, where)


def plain(action: str) -> str:
    """An action of the screen, also where a key of the transcript names it."""
    return action.removeprefix("screen.")
