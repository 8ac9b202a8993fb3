"""Background work of a screen: Textual's workers, of which none fails in silence."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import textual

from perdure.views.reader import Leaving

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.worker import Worker

    from perdure.tui.app import ChatApp

    N = TypeVar("N", bound=DOMNode)
else:
    N = TypeVar("N")
P = ParamSpec("P")

Method = Callable[Concatenate[N, P], Coroutine[Any, Any, None]]


def work(
    *, group: str, exclusive: bool = False
) -> Callable[[Method[N, P]], Callable[Concatenate[N, P], Worker[None]]]:
    """Make a method a worker.

    Whatever it raises is told on the screen, and the program goes on. Textual either ends the
    program or drops the error without a word.

    Args:
        group: workers that belong together.
        exclusive: a new one of the group ends the one before.
    """

    def decorate(method: Method[N, P]) -> Callable[Concatenate[N, P], Worker[None]]:
        @wraps(method)
        async def guarded(node: N, *given: P.args, **named: P.kwargs) -> None:
            try:
                await method(node, *given, **named)
            except Leaving:
                return
            except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
                app: ChatApp = node.app  # type: ignore[assignment]
                app.unforeseen(error)

        worker = textual.work(group=group, exclusive=exclusive, exit_on_error=False)
        made: Any = worker(guarded)
        return made  # type: ignore[no-any-return]

    return decorate
