"""Committing to one branch, and carrying out an operation, so that a crash loses nothing.

A *pending commit* is what shall be committed; the *committer* writes it in the one order that is
safe (`write_order.py`, the file to open first). The *commit lock* lets one process write at a time.
A *journal file* holds what is being said, and the *intent*: what a commit is about to do, written
down before it. A *plan* is the same for an operation, which moves several refs at once; a
*transaction* carries it out. *Recovery* finishes or undoes what a dead process left. The *writer*
puts all of this together for one open repository. The *conversion* makes files of refs that git
keeps in tables, before the first write.
"""
