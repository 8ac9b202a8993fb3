"""The commands below ``perdure memory``, a module each, imported when it is called.

Fact: a line of memory/facts. Proposal: a fact that a model suggests, reviewed with ``review``.
Summary: what a conversation was about. Index: the file that recall and search look things up in.

`group` lists them.
"""
