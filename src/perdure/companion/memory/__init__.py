"""Facts, lore, summaries and proposals as files."""
