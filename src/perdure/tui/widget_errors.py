"""Errors in a widget are shown on the screen, and the widget goes on.

Textual ends the message loop of a widget whose handler fails, and the program with it; it draws
nothing any more once one widget cannot be drawn or measured. Its own methods are guarded here, a
widget at a time. They are private; the version is pinned, and tests hold what is relied on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from textual._callback import invoke
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

T = TypeVar("T")
Failed = Callable[[Exception, "MessagePump"], None]
"""Told of an error, and of the widget that it came from."""


def guard(widget: Widget, failed: Failed) -> None:
    """Guard what a widget does with messages, how it is drawn and measured."""
    attributes: dict[str, object] = {
        "_dispatch_message": _handling(widget, failed),
        "render_lines": _or_else(
            widget.render_lines,
            lambda crop: [Strip.blank(crop.width)] * crop.height,
            widget,
            failed,
        ),
        "get_content_width": _or_else(
            widget.get_content_width, lambda container, _viewport: container.width, widget, failed
        ),
        "get_content_height": _or_else(
            widget.get_content_height, lambda _container, _viewport, _width: 1, widget, failed
        ),
    }
    if isinstance(widget, Screen):
        attributes["_invoke_later"] = _calling(widget, failed)
    for name, value in attributes.items():
        setattr(widget, name, value)


def cause_of(error: Exception) -> Exception:
    """The error that one of Textual's, which only wraps it, was raised for."""
    below = error.__context__
    if type(error).__name__ == "CallbackError" and isinstance(below, Exception):
        return below
    return error


def _handling(widget: Widget, failed: Failed) -> Callable[[Message], Awaitable[None]]:
    dispatch = widget._dispatch_message  # noqa: SLF001 - see above

    async def dispatched(message: Message) -> None:
        try:
            await dispatch(message)
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            failed(cause_of(error), widget)

    return dispatched


def _calling(screen: Screen[Any], failed: Failed) -> Callable[..., None]:
    """One callback of several that fails must not take the others with it."""
    later = screen._invoke_later  # noqa: SLF001 - see above

    def called(callback: Callable[[], object], sender: MessagePump) -> None:
        async def guarded() -> None:
            try:
                await invoke(callback)
            except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
                failed(error, sender)

        later(guarded, sender)

    return called


def _or_else(
    measure: Callable[..., T], instead: Callable[..., T], widget: Widget, failed: Failed
) -> Callable[..., T]:
    def measured(*given: Any) -> T:  # noqa: ANN401 - a size or a region
        try:
            return measure(*given)
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            failed(error, widget)
            return instead(*given)

    return measured
