"""What goes into a prompt, and why."""
