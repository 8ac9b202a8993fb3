"""What the command line prints: lines for people, records for scripts."""
