"""Facts, lore and proposals changed by the user; `facts.py` first.

Fact: one line that she knows for good. Lore: an entry with keys that bring it into a prompt.
Review: the list of proposals, and of imported facts that look like instructions.
Excluded: turns and facts that stay where they are and out of prompts (`exclude.py`).
Derived: the facts that some turns taught, and the summaries made of them.
"""
