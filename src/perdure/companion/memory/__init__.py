"""Facts, lore, summaries and proposals as files.

- A fact (`facts`) is one line that she knows for good, in a file of its topic; its tail names its
  source and its trust.
- Lore (`lore`) is background that enters a prompt when one of its keys comes up. A key is a word or
  a regular expression (`lore_patterns`, parsed by `lore_syntax`).
- A summary (`summaries`) is what a conversation was about, up to some turn.
- A proposal (`proposals`) is a change to memory that a model suggests and you review.
- An aside (`aside`) excludes turns and facts from prompts, and leaves them where they are.

Open `facts` first.
"""
