"""A companion created, archived, removed; `create.py` first.

Archive: a bundle with everything, a tag, and a companion that can only be read.
Proven copy: a bundle elsewhere that holds all branches and tags as they are now.
Reading copy: conversations as plain Markdown, for people without the program.
Adopt: a safe companion made of a folder that somebody handed over.
Outgoing check: keys and huge files in any version, searched for before anything is pushed.
Sync policy: when perdure syncs by itself.
README: her page on a forge, brought up to date once a month.
"""
