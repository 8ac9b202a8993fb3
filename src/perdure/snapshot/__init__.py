"""A companion as of one commit; reads only.

CompanionAt: settings and persona of a commit; `companion.py` is the file to begin with.
MemoryAt: its lore, facts and summaries. Excluded: what `memory/aside/` keeps out of prompts.
KnownFacts: every fact with the name that people call it by.
Transcript: all conversations (`conversation/`). Revision: what people write for a commit
(`revisions/`). RequestProblem: the base of errors for what cannot be read, or done, as asked.
"""
