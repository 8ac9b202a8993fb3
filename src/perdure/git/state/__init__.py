"""What perdure keeps below ``.git/perdure/state``, and whether it may be believed.

*State* is what a crash must not lose: journals, leases, plans, pending syncs, lists of packs. A
folder may have come from somewhere else, as a copy or a download, and then nothing in it is obeyed.
The *mark* is a secret in the folder that this user's own data folder knows, too (`mark.py`); state
without one is *set aside*. `folder.py` is the file to open first; `fields.py` checks every value in
a state file before anything follows from it.
"""
