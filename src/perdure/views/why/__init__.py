"""Why a reply came out as it did: its prompt, rebuilt and explained.

Explanation: a prompt part by part, each with its reason; `explain.py` is the file to begin with.
Verdict: whether the rebuilt prompt has the hash that the turn's commit records.
Replay: the prompt again, from the tree and the trailers alone; nothing is decided anew.
Left out: what the tree has and the prompt has not, with the reason (`reasons.py`).
"""
