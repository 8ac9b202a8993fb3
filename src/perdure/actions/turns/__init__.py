"""One turn committed, answered again, corrected or chosen."""
