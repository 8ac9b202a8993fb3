"""Output of the command line: lines for people, records for scripts."""
