"""Background work of a screen: Textual's workers, whose errors are always shown."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from textual.screen import Screen
from textual.worker import Worker

from perdure.views.reader import ReaderClosed


class OnScreen(Protocol):
    """A widget, or a plain object that works for a screen."""

    @property
    def screen(self) -> Screen[Any]:
        """The screen that the work belongs to, and ends with."""
        ...


class _Told(Protocol):
    def unforeseen(self, error: Exception) -> None: ...


N = TypeVar("N", bound=OnScreen)
P = ParamSpec("P")

Method = Callable[Concatenate[N, P], Coroutine[Any, Any, None]]


def work(
    *, group: str, exclusive: bool = False
) -> Callable[[Method[N, P]], Callable[Concatenate[N, P], Worker[None]]]:
    """Make a method a worker of its screen.

    Whatever it raises is shown on the screen, and the program goes on. Textual either ends the
    program or drops the error without a word.

    Args:
        group: workers that belong together.
        exclusive: a new one of the group ends the one before.
    """

    def decorate(method: Method[N, P]) -> Callable[Concatenate[N, P], Worker[None]]:
        @wraps(method)
        def begin(owner: N, /, *given: P.args, **named: P.kwargs) -> Worker[None]:
            screen = owner.screen

            async def guarded() -> None:
                try:
                    await method(owner, *given, **named)
                except ReaderClosed:
                    return
                except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
                    cast("_Told", screen.app).unforeseen(error)

            return screen.run_worker(
                guarded,
                name=method.__name__,
                group=group,
                exclusive=exclusive,
                exit_on_error=False,
            )

        return begin

    return decorate
