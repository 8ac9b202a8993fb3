"""Other places of a companion: remotes.

Remote: a name and an address in git's configuration (`settings.py`).
Record: what both sides last agreed on, and whether syncing is paused (`record.py`).
Proof: what a restore from a remote has brought back whole (`proof.py`).
Reconcile: for each ref, which side follows the other (`reconcile.py`).
Kept line: a tip that no branch has any more, under ``refs/perdure/kept/`` (`kept.py`).
Seen: a remote's branches as they were last seen (`seen.py`).
Fetch and push: `fetch.py`, `push.py`; a push connects early (`early.py`).
Background: a process that syncs (`background.py`).
"""
