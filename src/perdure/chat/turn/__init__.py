"""One turn: prompt, stream, journal, commit."""
