"""The timeline: history, branches and operations."""
