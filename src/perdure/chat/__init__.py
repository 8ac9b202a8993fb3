"""One turn, from text to commit, as a stream of events. Knows no screen."""
