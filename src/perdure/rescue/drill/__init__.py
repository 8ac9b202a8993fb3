"""Drill: a restore that is tried, so that it is known to work; the companion here is only read.

Run: one drill of one remote, and its proof (`run.py`). Restore: all of it comes back
(`restore.py`). News: what came since the last proof (`news.py`). Scratch: the folder in which that
happens (`scratch.py`). Census: every chunk is read and its turns counted (`census.py`). Comparison:
what is here and did not come back (`comparison.py`). Prompts: the last ones, rebuilt from the copy
(`prompts.py`). Index process: builds the timeline's index, or that for recall, beside that
(`index_process.py`). Voices: the backends through which the copy speaks (`voices.py`). Report and
finding: what is told and kept (`report.py`).
"""
