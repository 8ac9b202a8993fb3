"""Everything that people do, in any order: hypothesis chooses, `life` knows what must stand.

The long version is `python -m tests.system.walk --steps 1000 --lives 5`.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.conftest import copied
from tests.system.acts import ACTS
from tests.system.life import Life
from tests.system.walk import new

_TALK = ("turn", "message without an answer", "resume", "new conversation", "reopen")
_GIT = tuple(name for name in ACTS if name.startswith("git "))
_STEER = tuple(name for name in ACTS if name not in {*_TALK, *_GIT})


class Machine(RuleBasedStateMachine):
    """One life for each example; rules are grouped, so that talk and steering keep a balance."""

    runner: asyncio.Runner
    begun: Path
    steps = 0

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        path = copied(type(self).begun, self.folder / "mira")
        self.life = Life(path, type(self).runner)

    def _act(self, name: str, data: st.DataObject) -> None:
        def pick(count: int) -> int:
            return data.draw(st.integers(0, count - 1)) if count > 1 else 0

        self.life.act(name, ACTS[name][1], pick)

    @rule(data=st.data(), name=st.sampled_from(_TALK))
    def talk(self, data: st.DataObject, name: str) -> None:
        self._act(name, data)

    @rule(data=st.data())
    def say(self, data: st.DataObject) -> None:
        self._act("turn", data)

    @rule(data=st.data(), name=st.sampled_from(_STEER))
    def steer(self, data: st.DataObject, name: str) -> None:
        self._act(name, data)

    @rule(data=st.data(), name=st.sampled_from(_STEER))
    def steer_again(self, data: st.DataObject, name: str) -> None:
        self._act(name, data)

    @rule(data=st.data(), name=st.sampled_from(_GIT))
    def git(self, data: st.DataObject, name: str) -> None:
        self._act(name, data)

    def teardown(self) -> None:
        if hasattr(self, "life"):
            try:
                self.life.end()
                type(self).steps += self.life.steps
            finally:
                self.life.close()
                shutil.rmtree(self.folder, ignore_errors=True)


def test_any_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new(tmp_path / "begun")
    with asyncio.Runner() as runner:
        monkeypatch.setattr(Machine, "runner", runner, raising=False)
        monkeypatch.setattr(Machine, "begun", tmp_path / "begun", raising=False)
        monkeypatch.setattr(Machine, "steps", 0)
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=6,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.explicit, Phase.generate),
                database=None,
                derandomize=True,
            ),
        )
        assert Machine.steps > 60, Machine.steps
        print(Machine.steps, "steps")
