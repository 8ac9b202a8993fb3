"""The memory browser: facts, lore, summaries and proposals on one screen.

Topic: the file that facts are kept in. Pinned: always in the prompt. Excluded: kept, and out of it.
Proposal: a fact that a model suggests; it waits in the list to review until the user answers.
Hint: two facts that say the same, or cannot both hold.

Begin with `screen`; `lists` says what is listed, `rows` and `about` draw it, `edits` changes it.
"""
