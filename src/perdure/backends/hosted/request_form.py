"""What a server accepts in a request: the prompt's shape, and the fields it refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perdure.backends.errors import BackendError, FieldRefused, ShapeRefused
from perdure.backends.roles.shape import PLAIN, Shape, next_shape

LIMITS = ("max_tokens", "max_completion_tokens")
"""OpenAI's two names for the most tokens of a reply: where one is refused, the other is sent."""


@dataclass(frozen=True, slots=True)
class RequestForm:
    """How requests are sent to one backend's server.

    Attributes:
        shape: of the prompt.
        without: names of fields that the server refuses and that are left out, in the order in
            which it refused them.
    """

    shape: Shape = PLAIN
    without: tuple[str, ...] = ()


def limit_field(without: tuple[str, ...], preferred: str) -> str:
    """The field that carries the reply's limit; empty if both names are refused."""
    names = (preferred, *(each for each in LIMITS if each != preferred))
    return next((each for each in names if each not in without), "")


def form_after_refusal(form: RequestForm, refusal: BackendError) -> RequestForm | None:
    """The form to try after a refusal; None if the refusal teaches none."""
    match refusal:
        case FieldRefused() if refusal.field not in form.without:
            return replace(form, without=(*form.without, refusal.field))
        case ShapeRefused():
            shape = next_shape(form.shape, refusal.words)
            return replace(form, shape=shape) if shape is not None else None
    return None


def difference(before: RequestForm, after: RequestForm) -> str:
    """What changes in the request, to end a sentence: "… is asked again with …"."""
    changes = [f"with {after.shape.described}"] if after.shape != before.shape else []
    for field in after.without[len(before.without) :]:
        other = limit_field(after.without, field) if field in LIMITS else ""
        instead = f", with {other} in its place" if other else ""
        changes.append(f"without the field {field}{instead}")
    return " and ".join(changes)
