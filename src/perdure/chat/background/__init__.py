"""What a session does between turns; a message breaks it off at once.

BackgroundMemory: writes summaries and proposes facts; `memory.py` is the file to begin with.
MemoryTask: one conversation and what is wanted of it. ConversationReading: its turns, its files.
MemoryModel: a backend that may read it (`summarise.py`). MemoryResult: what the model made of it.
MemoryCommit: what was written, on the very commit that was read, or not at all (`save.py`).
MemoryProgress: what this device has done already. Prefill: a local model reads the next prompt's
front while the user types.
"""
