"""The persona's size in tokens, against the smallest window among the backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from perdure.companion.persona.findings import Finding, Kind, PersonaTexts
from perdure.companion.persona.persona import EXAMPLES, PERSONA_FOLDER, fill, read_examples

Count = Callable[[str], int]

_MOST_SHARE = 0.5
_FILE_SHARE = 0.25
_GREETING_SHARE = 0.125
_REMINDER = 200
"""Tokens of a reminder: said again in every prompt, behind what a server's cache keeps."""
_EXACT_UP_TO = 200_000
"""Characters; a longer text is no persona, and tiktoken is slow on some of them."""


@dataclass(frozen=True, slots=True)
class Window:
    """How many tokens one backend can take.

    Attributes:
        backend: its name.
        tokens: prompt and reply together.
        reply: tokens kept for the reply.
        room: tokens of prompt that are sent at the most.
        assumed: nothing says how large the window is; this is what the driver takes then.
    """

    backend: str
    tokens: int
    reply: int
    room: int
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class FileSize:
    """One file's size in tokens, with names filled in."""

    path: str
    kind: Kind
    tokens: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of each file. ``window`` is the smallest one; None without a backend."""

    files: tuple[FileSize, ...] = ()
    window: Window | None = None
    examples_budget: int = 0

    @property
    def always(self) -> int:
        """Tokens in every prompt: the persona's files and the reminder."""
        return sum(each.tokens for each in self.files if each.kind in ("prompt", "reminder"))

    @property
    def examples(self) -> int:
        """Tokens of sample dialogue that are sent at most."""
        all_of_them = sum(each.tokens for each in self.files if each.kind == "example")
        return min(all_of_them, self.examples_budget)

    @property
    def left(self) -> int | None:
        """Tokens left for conversation, memory and lore; below 0 if the persona does not fit."""
        if self.window is None:
            return None
        rest = self.window.room - self.always
        return rest - self.examples if rest > self.examples else rest

    def share(self, each: FileSize) -> float:
        """A file's share of the smallest window."""
        return each.tokens / self.window.tokens if self.window else 0.0


def sizes_of(
    persona: PersonaTexts, count: Count, windows: Sequence[Window], examples_budget: int
) -> Sizes:
    """Measure the files. ``count`` returns the tokens of a text."""
    files = []
    for text in persona.texts:
        filled = fill(text.text, char=persona.name, user=persona.user).strip()
        if filled:
            tokens = len(filled) // 4 if len(filled) > _EXACT_UP_TO else count(filled)
            files.append(FileSize(text.path, text.kind, tokens))
    smallest = min(windows, key=lambda each: (each.room, each.backend), default=None)
    return Sizes(tuple(files), smallest, examples_budget)


def size_findings(
    persona: PersonaTexts, sizes: Sizes, count: Count, windows: Sequence[Window]
) -> Iterator[Finding]:
    """Files that are too large, or cost many tokens."""
    too_small = [each for each in windows if sizes.always > each.room]
    for each in too_small:
        yield Finding(
            "problem",
            "too-large",
            PERSONA_FOLDER,
            0,
            f"the persona has {sizes.always:,} tokens, but a prompt for {each.backend} has "
            f"room for {each.room:,} ({_said(each)}, {each.reply:,} kept for the reply)",
            "shorten it, or give the backend a larger context_window",
        )
    if sizes.window is None:
        return
    window = sizes.window
    if not too_small and sizes.always > _MOST_SHARE * window.room:
        yield Finding(
            "advice",
            "large",
            PERSONA_FOLDER,
            0,
            f"the persona takes {sizes.always:,} of the {window.room:,} tokens that "
            f"{window.backend} has room for ({_said(window)}); "
            f"{window.room - sizes.always:,} are left for the conversation",
            "shorten it, or put a backend with a larger window first",
        )
    for file in sizes.files:
        limit, what = _limit(file.kind, window)
        if file.tokens > limit:
            yield Finding(
                "advice",
                f"large-{file.kind}",
                file.path,
                0,
                f"{file.tokens:,} tokens, {sizes.share(file):.0%} of the smallest window; {what}",
                "shorten it",
            )
    yield from _examples(persona, sizes, count)


def _limit(kind: Kind, window: Window) -> tuple[float, str]:
    if kind == "reminder":
        return max(_REMINDER, 0.02 * window.room), "the reminder is read again with every message"
    if kind == "greeting":
        return _GREETING_SHARE * window.room, "the greeting opens the conversation"
    if kind == "example":
        return float("inf"), ""
    return _FILE_SHARE * window.room, "it is sent with every message"


def _examples(persona: PersonaTexts, sizes: Sizes, count: Count) -> Iterator[Finding]:
    """Sample dialogue beyond its budget, counted the way the prompt leaves it out."""
    spent = dialogues = left_out = 0
    first = ""
    for text in persona.texts:
        if text.kind != "example":
            continue
        filled = fill(text.text, char="C", user="U")
        if len(filled) > _EXACT_UP_TO:
            continue
        for dialogue in read_examples(text.text):
            dialogues += 1
            said = "\n".join(f"{'U' if line.by_user else 'C'}: {line.text}" for line in dialogue)
            spent += count(fill(said, char=persona.name, user=persona.user))
            if spent > sizes.examples_budget:
                left_out += 1
                first = first or text.path
    if left_out:
        yield Finding(
            "advice",
            "examples",
            first or EXAMPLES,
            0,
            f"the sample dialogues have {spent:,} tokens, but their budget is "
            f"{sizes.examples_budget:,}: the last {left_out} of {dialogues} are never sent",
            "shorten them, or raise context.examples_tokens in companion.yaml",
        )


def _said(window: Window) -> str:
    about = "probably " if window.assumed else ""
    return f"{about}a window of {window.tokens:,}"
