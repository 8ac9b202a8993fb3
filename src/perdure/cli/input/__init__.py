"""What the command line asks and reads.

Question: a line on stderr with its choices; without a terminal nobody is asked, and what is missing
is a usage error that names its option. Wizard: the questions of ``perdure backend add``, each of
which has an option. Standard input is read as bytes: those that are no text spoil only themselves.

Begin with `ask`.
"""
