"""Switching to another backend, and agreeing to one that came from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.tui.dialogs.backend_picker import BackendPicker, Picked
from perdure.tui.dialogs.question import Choice
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.actions.agreement import UnagreedSetting
    from perdure.actions.trust import Unconfirmed
    from perdure.chat.session import Session
    from perdure.tui.chat.conversation import Conversation

_YES = "confirm"


class BackendController:
    """Switches backends, and asks about those that nobody has agreed to."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.screen = conversation.screen

    # -- switching -----------------------------------------------------------------------------

    def pick(self) -> None:
        """Open the list of backends."""
        session = self._conversation.open_session()
        if session is not None:
            self._pick(session)

    @work(group="switch", exclusive=True)
    async def _pick(self, session: Session) -> None:
        here = self._conversation
        candidates = await session.candidates()
        if self.screen.app.screen is self.screen:
            picker = BackendPicker(candidates, session.info.next_backend, here.glyphs)
            self.screen.app.push_screen(picker, self._picked)

    def _picked(self, picked: Picked | None) -> None:
        if picked is not None:
            self._switch(picked)

    def switch(self, name: str, *, once: bool) -> None:
        """Switch to the backend of this name; without a name, open the list."""
        if not name:
            self.pick()
        elif self._conversation.open_session() is not None:
            self._switch(Picked(name, once))

    @work(group="switch")
    async def _switch(self, picked: Picked) -> None:
        """Switch to another backend; a running reply is not affected."""
        here = self._conversation
        if here.session is None:
            return
        change = here.session.speak_next if picked.once else here.session.speak_from_now
        switch = await change(picked.name)
        notices = [notice.text for notice in switch.notices]
        here.flash.show(
            " ".join([switch.candidate.speaks(once=picked.once), *notices]),
            "success",
            stays=switch.candidate.hosted,
        )
        if not here.is_talking:
            here.show_info()

    # -- backends from outside -----------------------------------------------------------------

    def confirm_listed(self) -> None:
        """Ask about those that companion.yaml lists, unless somebody is writing already."""
        if not self._conversation.composer.text:
            self._confirm(asked=False)

    def confirm_all(self) -> None:
        """Ask about every backend that waits."""
        if self._conversation.open_session() is not None:
            self._confirm(asked=True)

    @work(group="confirm", exclusive=True)
    async def _confirm(self, *, asked: bool) -> None:
        from perdure.actions import trust
        from perdure.actions.agreement import unagreed_settings

        here = self._conversation
        if here.session is None:
            return
        found = await here.session.consult(trust.in_use_first if asked else trust.in_use)
        different = await here.session.consult(lambda repo: unagreed_settings(repo, "HEAD"))
        if asked and not (found or different):
            here.flash.show("There is nothing to confirm.")
        if self.screen.app.screen is self.screen and self.screen.is_attached:
            for each in found:
                if not await self._agreed(here.session, each):
                    return
            for setting in different:
                if not await self._agreed_setting(here.session, setting):
                    return

    async def _agreed(self, session: Session, each: Unconfirmed) -> bool:
        """Ask about one; False to ask about this and the others later."""
        from perdure.actions import trust

        here = self._conversation
        answer = await here.ask(
            "A backend from outside",
            trust.describe(each),
            Choice("", "Not now", "Nothing is sent there. /confirm asks again."),
            Choice(_YES, f"Confirm {each.name}", f"From the next message on: {each.leads_to}"),
            yes=(),
        )
        # What was said of it before is answered.
        here.flash.clear_notice()
        if answer != _YES:
            here.flash.show(f"{each.name} is not used. /confirm asks again.", "warning", stays=True)
            return False
        await session.consult(lambda repo: trust.confirm(repo, [each]))
        here.flash.show(
            f"{each.name} is confirmed. From the next message on, what you say may go to "
            f"{each.leads_to}.",
            "success",
            stays=each.hosted,
        )
        if here.status.status.state == "offline":
            here.status.change(state="ready")
        return True

    async def _agreed_setting(self, session: Session, each: UnagreedSetting) -> bool:
        """The same for a setting of companion.yaml."""
        from perdure.actions.agreement import agree_to

        here = self._conversation
        answer = await here.ask(
            "A setting from outside",
            each.describe(),
            Choice("", "Not now", "It stays as it was here. /confirm asks again."),
            Choice(_YES, "Use it here", "From the next message on."),
            yes=(),
        )
        here.flash.clear_notice()
        if answer != _YES:
            here.flash.show(
                f"{each.key} stays as it was here. /confirm asks again.", "warning", stays=True
            )
            return False
        await session.consult(lambda repo: agree_to(repo, **{each.key: each.there}))
        here.flash.show(f"{each.key} counts here now.", "success")
        return True
