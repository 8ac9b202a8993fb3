"""Summaries and facts: what a model is asked, how its answer is read, what is alike.

Record: a conversation as a model is shown it, numbered and quoted; begin with `record.py`.
Task: what the model is asked to do with it, in the companion's language.
Answer: what it wrote, made plain text before anything else looks at it.
Proposal: a fact or a summary that came of it, and waits for the user.
Near duplicate, contradiction: facts that say the same, or cannot both hold, found by words.
Instruction: text that wants to be obeyed; it waits for the user even where others would not.
"""
