"""What a companion is: files in, values out. No git, no network."""
