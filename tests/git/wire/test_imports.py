"""What is heavy is imported only by who needs it: a push is a command of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"dulwich", "ssl", "http.client", "urllib3", "keyring", "perdure.git.wire.http"}


def imported(code: str) -> set[str]:
    """Which heavy modules are there after some code."""
    words = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.splitlines())


def test_nothing_is_paid_for_before_a_connection() -> None:
    assert imported("import perdure.git.wire.connect, perdure.git.wire.errors") == set()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("git://h/x", {"dulwich"}),
        ("h:x", {"dulwich"}),
        ("https://h/x", {"dulwich", "ssl", "http.client", "perdure.git.wire.http"}),
    ],
)
def test_a_connection_pays_for_its_own_kind(address: str, expected: set[str]) -> None:
    code = (
        "from perdure.git.wire.connect import connect\n"
        "from perdure.git.wire.address import parse_address\n"
        f"connect(parse_address({address!r}), name='home')"
    )
    assert imported(code) == expected
