"""What a session does between turns: summaries, proposals, prefill."""
