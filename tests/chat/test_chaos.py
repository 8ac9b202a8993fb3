from __future__ import annotations

import pytest

from tests.processes import run_module

pytestmark = pytest.mark.model


def test_a_talk_through_dying_servers_loses_and_doubles_nothing() -> None:
    """The short version of `python -m tests.chat.chaos_failover --turns 500`."""
    done = run_module("tests.chat.chaos_failover", "--turns", "7", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "user messages 7" in done.stdout
    assert "kills" in done.stdout
