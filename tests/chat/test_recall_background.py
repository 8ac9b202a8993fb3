"""The meaning of what was said is read between turns, and never for longer than until the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from perdure.chat.reply.recall import Recaller
from perdure.recall import RecallIndex
from perdure.recall.embedders import e5
from tests.recall.recall_eval import make_companion
from tests.recall.test_dense import LIFE, Meanings

pytest.importorskip("numpy")


class Reading(Meanings):
    """Is paused after some texts."""

    recaller: Recaller | None = None
    most = 5

    def embed(self, text: str) -> Sequence[float]:
        found = super().embed(text)
        if self.recaller is not None and len(self.seen) == self.most:
            self.recaller.pause()
        return found


async def test_it_reads_on_between_turns_and_stops_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Reading()
    monkeypatch.setattr(e5, "installed", lambda: model)
    with make_companion(tmp_path / "mira", LIFE) as repo:
        recaller = Recaller(tmp_path / "mira")
        model.recaller = recaller
        recaller.go_on()
        before = recaller._embedding
        assert before is None  # nobody has asked for work in the background
        recaller.begin()
        assert recaller._embedding is not None
        await recaller._embedding
        assert len(model.seen) == model.most
        with RecallIndex.open(repo, embedder=model) as look:
            lacking, known = look.unembedded("HEAD")
            assert (lacking > 0, known) == (True, model.most)
            recaller.go_on()
            await recaller._embedding
            assert look.unembedded("HEAD") == (0, lacking + known)
        await recaller.close()
