"""The timeline: what happened to a companion, and what can be undone.

History: commits, one row each, turns of one stretch of conversation together.
Lane: the column of a branch in the graph beside the rows. Branch: a name on a tip.
Operation: something the user did to branches, tags or HEAD; undo takes one back.

Begin with `screen`; `lists` says what is listed, `rows`, `lanes` and `about` draw it.
"""
