"""What two devices did to one companion comes together.

`tips.py` merges two *tips*, the newest commits of a branch on two devices, into a commit that
depends on them alone. A *conflict* of such a merge is a place that both changed: one side's lines
are taken, nobody is asked. It is *open* until somebody *settles* it (`conflicts.py`) or edits those
lines. An *arrival* is what a sync or a pull brought (`arrivals.py`), told once; `moves.py` finds
what moved the branch.
"""
