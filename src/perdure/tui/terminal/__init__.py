"""The terminal itself: Textual's driver, and what it reads."""
