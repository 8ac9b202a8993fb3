"""Merging another branch into the one that is checked out.

A *merge plan* (`plan.py`) says, file by file, what a merge would come to: base, ours and theirs are
the three versions of a file. A *conflict* is a file that both sides changed in the same place; it
is *settled* when somebody has chosen. An *open merge* waits in the work tree, as git leaves one,
until it is concluded or given up. Open `merge.py` first; `text.py` merges lines.
"""
