"""Ctrl-C while a coroutine runs, at the worst moments."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from perdure.interrupts import run_coroutine


def press() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def as_at_a_prompt() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    after = signal.signal(signal.SIGINT, before)
    assert after is signal.default_int_handler


def test_the_first_lets_a_callback_settle_what_the_coroutine_waits_for() -> None:
    wrong: list[dict[str, object]] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: wrong.append(context))
        waited_for = loop.create_future()

        def settle() -> None:
            # As asyncio.Event.set does when a connection's bytes come.
            if not waited_for.done():
                press()
                waited_for.set_result(None)

        loop.call_soon(settle)
        await waited_for
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        run_coroutine(work())
    assert not wrong


def test_a_coroutine_clears_up_after_itself() -> None:
    done = []

    async def work() -> None:
        try:
            press()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("cleared up")

    with pytest.raises(KeyboardInterrupt):
        run_coroutine(work())
    assert done == ["cleared up"]


def test_the_second_ends_what_never_waits() -> None:
    reached = []

    async def work() -> None:
        press()
        reached.append("the first")
        press()
        reached.append("the second")

    with pytest.raises(KeyboardInterrupt):
        run_coroutine(work())
    assert reached == ["the first"]


def test_one_that_comes_while_the_loop_is_made_is_not_lost() -> None:
    def interrupted() -> asyncio.AbstractEventLoop:
        press()
        return asyncio.new_event_loop()

    async def work() -> None:
        await asyncio.Event().wait()

    with (
        closing(asyncio.Runner(loop_factory=interrupted)) as runner,
        pytest.raises(KeyboardInterrupt),
    ):
        run_coroutine(work(), runner)


def test_what_cancels_itself_was_not_interrupted() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_coroutine(work())


def test_whoever_ignores_it_goes_on_ignoring_it() -> None:
    async def work() -> str:
        press()
        await asyncio.sleep(0)
        return "whole"

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert run_coroutine(work()) == "whole"
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is signal.SIG_IGN
