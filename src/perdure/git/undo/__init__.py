"""Undo and redo of what was done on this device, each an operation itself.

A *plan* says what the next step will do (`plan.py`); `perform.py` does it. The *inverse* of an act
takes it out of files that have gone on since (`inverse.py`).
"""
