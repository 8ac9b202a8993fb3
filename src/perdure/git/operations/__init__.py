"""What a user does to branches, tags and HEAD, and how to undo it."""
