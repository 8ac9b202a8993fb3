"""Everything that changes a companion: a plan first, then one commit or one operation.

Workspace: a companion opened for acts; begin with `workspace.py`.
Plan: what an act will do, in sentences (`describe`) and as data (`to_dict`). Nothing is changed.
Act: a function that does what a plan says, if the files still are as the plan saw them.
Hand edit: a change that an editor made in the folder; it gets a commit of its own.
Confirmed: a backend that the user agreed to on this machine (`trust.py`). Agreement: that, and the
settings that no sync may change (`agreement.py`).
Excluded: kept in the history, left out of prompts. Derived: made from some turns.

A folder for each thing that is changed: `turns`, `memory`, `backends`, `history`, `companion`.
"""
