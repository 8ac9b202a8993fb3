"""Backends that came from outside: shown with where they lead, used only when agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.tui.chat.backends import SwitchingScreen
from perdure.tui.dialogs.question import Choice, Question
from perdure.tui.workers import work

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure.actions.trust import Waiting

_YES = "confirm"


class ConfirmingScreen(SwitchingScreen):
    """Asks about backends from outside; what is said is `TalkingScreen`'s."""

    def opened(self) -> None:
        """Ask about those that companion.yaml lists, unless somebody is writing already."""
        super().opened()
        if not self.composer.text:
            self._confirm_backends(asked=False)

    def action_confirm_backends(self) -> None:
        """Ask about every backend that waits."""
        if self.session is None:
            self.flash.tell("The companion is not open yet.", "warning")
        else:
            self._confirm_backends(asked=True)

    @work(group="confirm", exclusive=True)
    async def _confirm_backends(self, *, asked: bool) -> None:
        from perdure.actions import trust

        session = self.session
        if session is None:
            return
        try:
            found = await session.consult(trust.listed_first if asked else trust.in_use)
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self.tell_error(error)
            return
        if asked and not found:
            self.flash.tell("No backend waits to be confirmed.")
        if self.app.screen is self and self.is_attached:
            for each in found:
                if not await self._agreed(each):
                    return

    async def _agreed(self, each: Waiting) -> bool:
        """Ask about one; False where the user wants to hear of it later."""
        from perdure.actions import trust

        question = Question(
            "A backend from outside",
            trust.says(each),
            (
                Choice("", "Not now", "Nothing is sent there. /confirm asks again."),
                Choice(_YES, f"Confirm {each.name}", f"From the next message on: {each.leads_to}"),
            ),
            self._glyphs,
        )
        answer = await self.app.push_screen_wait(question)
        # What was told of it before is answered.
        self.flash.clear_notice()
        if answer != _YES or self.session is None:
            self.flash.tell(f"{each.name} is not used. /confirm asks again.", "warning", stays=True)
            return False
        try:
            await self.session.consult(lambda repo: trust.agree(repo, [each]))
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self.tell_error(error)
            return False
        self.flash.tell(
            f"{each.name} is confirmed. From the next message on, what you say may go to "
            f"{each.leads_to}.",
            "success",
            stays=each.hosted,
        )
        if self.status.status.state == "offline":
            self.status.tell(state="ready")
        return True

    def slash_commands(self) -> dict[str, Callable[[str], object]]:
        """Those of the talk, and the one that asks about backends."""
        return {**super().slash_commands(), "/confirm": lambda _: self.action_confirm_backends()}
