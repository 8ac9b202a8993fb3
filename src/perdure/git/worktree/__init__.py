"""The work tree: files, ignore rules, edits, checkouts, and its sync with the branch."""
