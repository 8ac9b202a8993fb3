"""What the user does to branches, tags and HEAD, each crash-safe and each undone in one step.

An *operation* moves refs as one write and adds one entry to the *log of operations*: a chain of
commits at ``refs/perdure/ops``, each telling what was done and where everything stood before.
A plain commit costs no entry, and can be undone all the same. An *arrival* is what came from
elsewhere, which is nothing to undo. A *side branch* is begun by perdure itself, where a turn
cannot be saved on the branch that is checked out. Open `operation.py` first.
"""
