"""Sampling parameters by their common names, checked before a driver translates them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from perdure.backends.errors import BadParameter
from perdure.backends.protocol import BackendSpec, Request

LARGEST_SEED = 2**32 - 2
"""llama.cpp holds seeds in 32 bits and reads the largest value as "choose one"."""


def _number(low: float, high: float) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return low <= value <= high

    return fits


def _whole(low: int, high: int) -> Callable[[object], bool]:
    fits = _number(low, high)
    return lambda value: isinstance(value, int) and fits(value)


def _stops(value: object) -> bool:
    if isinstance(value, str):
        return bool(value)
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "temperature": (_number(0, 5), "a number from 0 to 5"),
    "top_p": (_number(0, 1), "a number from 0 to 1"),
    "top_k": (_whole(0, 1_000_000), "a whole number, 0 for no limit"),
    "min_p": (_number(0, 1), "a number from 0 to 1"),
    "repeat_penalty": (_number(0.1, 5), "a number from 0.1 to 5"),
    "seed": (_whole(0, LARGEST_SEED), f"a whole number from 0 to {LARGEST_SEED}"),
    "stop": (_stops, "a text or a list of texts, none of them empty"),
    "max_tokens": (_whole(1, 1_000_000), "a whole number above 0"),
}


def limit_of(request: Request, most: int | None) -> int:
    """The most tokens that a reply may have, by its request and the manifest. Raises BadParameter.

    ``most`` is the manifest's ``max_tokens``, None without one.
    """
    limit = min(request.max_tokens, request.max_tokens if most is None else most)
    if limit < 1:
        raise BadParameter(f"a reply cannot have {limit} tokens")
    return limit


def checked_parameters(spec: BackendSpec, honoured: Collection[str]) -> dict[str, Any]:
    """The parameters of ``spec``, each known to the driver and within bounds.

    Raises:
        BadParameter: names the first parameter that the driver does not have or whose value is
            of the wrong kind. Nothing is dropped in silence.
    """
    result: dict[str, Any] = {}
    for name, value in spec.parameters.items():
        if name not in honoured:
            raise BadParameter(
                f"backend {spec.name}: the {spec.driver} driver has no parameter {name!r}",
                next_step=f"it has: {', '.join(sorted(honoured))}",
            )
        fits, wanted = _RULES[name]
        if not fits(value):
            raise BadParameter(
                f"backend {spec.name}: {name} is {value!r}", next_step=f"use {wanted}"
            )
        result[name] = [value] if name == "stop" and isinstance(value, str) else value
    return result
