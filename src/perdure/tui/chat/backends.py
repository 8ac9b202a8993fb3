"""Switching to another backend from the chat screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.tui.chat.turns import TalkingScreen
from perdure.tui.dialogs.backend_picker import BackendPicker, Picked
from perdure.tui.workers import work

if TYPE_CHECKING:
    from collections.abc import Callable


class SwitchingScreen(TalkingScreen):
    """Chooses who speaks; what is said is `TalkingScreen`'s."""

    def action_backend(self) -> None:
        """Open the list of backends."""
        if self.session is None:
            self.flash.tell("The companion is not open yet.", "warning")
        else:
            self._pick_backend()

    @work(group="switch", exclusive=True)
    async def _pick_backend(self) -> None:
        session = self.session
        if session is None:
            return
        try:
            speakers = await session.candidates()
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self.tell_error(error)
            return
        if self.app.screen is not self:
            return
        picker = BackendPicker(speakers, session.info.next_backend, self._glyphs)
        self.app.push_screen(picker, self._backend_picked)

    def _backend_picked(self, picked: Picked | None) -> None:
        if picked is not None:
            self.switch(picked)

    @work(group="switch")
    async def switch(self, picked: Picked) -> None:
        """Let another backend speak. A reply that is running is not touched."""
        session = self.session
        if session is None:
            return
        change = session.speak_next if picked.once else session.speak_from_now
        try:
            switch = await change(picked.name)
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self.tell_error(error)
            return
        told = [notice.text for notice in switch.notices]
        self.flash.tell(
            " ".join([switch.candidate.speaks(once=picked.once), *told]),
            "success",
            stays=switch.candidate.hosted,
        )
        if not self._talking:
            self._tell_info()

    def slash_commands(self) -> dict[str, Callable[[str], object]]:
        """Those of the talk, and the two that switch."""

        def named(name: str, *, once: bool) -> None:
            if not name:
                self.action_backend()
            elif self.session is None:
                self.flash.tell("The companion is not open yet.", "warning")
            else:
                self.switch(Picked(name, once))

        return {
            **super().slash_commands(),
            "/backend": lambda name: named(name, once=False),
            "/next": lambda name: named(name, once=True),
        }
