"""Find the prompt shape of a model's chat template, without running the model.

A template that can be asked renders a trial conversation of our own words in one shape after
another. One is taken where it renders and every word is there, in its order: a template without a
system role may raise, or drop what it does not know in silence. Ollama's templates are read
instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from perdure.backends.protocol import PromptMessage
from perdure.backends.roles.shape import PLAIN, SHAPES, Shape, fold, narrowed

_MARKS = ("amber", "basil", "cedar", "daisy", "elder", "fern")
_TRIAL = (
    PromptMessage("system", "amber"),
    PromptMessage("system", "basil"),
    PromptMessage("assistant", "cedar"),
    PromptMessage("user", "daisy"),
    PromptMessage("system", "elder"),
    PromptMessage("user", "fern"),
)


def trials() -> Iterator[tuple[Shape, tuple[PromptMessage, ...]]]:
    """The shapes from widest to strictest, each with a conversation to render in it."""
    for shape in SHAPES:
        yield shape, fold(_TRIAL, shape)


def is_whole(rendered: object) -> bool:
    """Whether a rendered trial has all its words in order."""
    if not isinstance(rendered, str):
        return False
    places = [rendered.find(mark) for mark in _MARKS]
    return -1 not in places and places == sorted(places)


def shape_text(shape: Shape) -> str:
    """A shape as fingerprints record it; empty for one that takes all roles."""
    return "" if shape == PLAIN else str(shape)


_RAISED = re.compile(r"""raise_exception\(\s*(['"])(.*?)\1""", re.DOTALL)


def jinja_shape(template: str) -> str:
    """The shape of a Jinja template, by what it says when it raises; empty for all roles.

    For servers that show their template and cannot be asked to render.
    """
    shape = PLAIN
    for match in _RAISED.finditer(template):
        shape = narrowed(shape, match[2])
    return shape_text(shape)


_RENDERER = re.compile(r"^RENDERER\s+\S", re.MULTILINE | re.IGNORECASE)
_GO_FIELD = re.compile(r"\.(Messages|System|Role)\b")


def ollama_shape(template: str, modelfile: str = "") -> str:
    """The shape of an Ollama template; empty if it takes all roles.

    Where the Modelfile names a renderer, Ollama's own code makes the prompt, and the template that
    it shows is not used.

    These never raise. One that goes through ``.Messages`` without a look at the role ``system``
    drops such messages, or has their words as ``.System`` all at the front; one without ``.System``
    and without roles drops them all (https://github.com/ollama/ollama, template/template.go).
    """
    found = {match[1] for match in _GO_FIELD.finditer(template)}
    if "{{" not in template or _RENDERER.search(modelfile):
        return ""
    if "Messages" in found:
        rendered_as_is = re.search(r"\{\{-?\s*(\$?\w*)\.Role\s*-?\}\}", template) is not None
        if rendered_as_is or '"system"' in template:
            return ""
        return str(Shape("first")) if "System" in found else str(Shape("none"))
    return "" if "System" in found else str(Shape("none"))
