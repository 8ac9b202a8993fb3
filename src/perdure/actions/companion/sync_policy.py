"""Says in companion.yaml when perdure syncs by itself."""

from __future__ import annotations

from perdure.actions.agreement import agree_to
from perdure.actions.workspace import Workspace
from perdure.companion.config.settings import SyncPolicy, edit_settings, parse_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.git.repository.repository import Change
from perdure.snapshot.files import read_small_at


def set_sync_policy(workspace: Workspace, policy: SyncPolicy) -> None:
    """Write the policy as a commit of its own, unless it is so already, and agree to it here.

    Raises:
        CannotAct, CompanionProblem, HistoryError: nothing was changed.
    """
    workspace.commit_hand_edits()
    data = read_small_at(workspace.repo, SETTINGS) or b""
    if parse_settings(data).sync != policy:
        change = Change(SETTINGS, edit_settings(data, {"sync": policy}))
        workspace.commit([change], f"companion: sync {policy}\n")
    agree_to(workspace.repo, sync=policy)
