"""From a stretch of what is shown back to the source text that it was drawn from."""

from __future__ import annotations

_LOOKAHEAD = 160
"""Source characters that may lie between two shown ones: link addresses, fences, emphasis."""


def source_of(shown: str, source: str, start: int, end: int) -> str:
    """The part of ``source`` from which ``shown[start:end]`` was drawn.

    Rendering drops marks, folds lines and adds bullets, but keeps the order of the words; so the
    shown characters are found one after another in the source, and those that are not there were
    drawn by the renderer.
    """
    places: list[int | None] = []
    at = 0
    for character in shown:
        found = -1 if character.isspace() else source.find(character, at, at + _LOOKAHEAD)
        if found < 0:
            places.append(None)
        else:
            places.append(found)
            at = found + 1
    marked = [place for place in places[start:end] if place is not None]
    if not marked:
        return ""
    everything = [place for place in places if place is not None]
    first = 0 if marked[0] == everything[0] else marked[0]
    last = len(source) if marked[-1] == everything[-1] else marked[-1] + 1
    return source[first:last].strip("\n")
