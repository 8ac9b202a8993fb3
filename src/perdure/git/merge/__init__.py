"""Merging: a branch into the one that is checked out, or two tips by sync.

A *merge plan* (`plan.py`) says, file by file, what a merge would come to: base, ours and theirs are
the three versions of a file. A *conflict* is a file that both sides changed in the same place; it
is *settled* when somebody has chosen. An *open merge* waits in the work tree, as git leaves one,
until it is concluded or given up. A *merge by sync* (`tips.py`) waits for nobody: its commit is a
function of its two parents. Open `merge.py` first; `sides.py` reads both sides and their common
past, `text.py` merges lines.
"""
