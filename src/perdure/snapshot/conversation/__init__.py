"""Conversations as of one commit: the transcript, turns and their names."""
