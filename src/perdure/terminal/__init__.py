"""What both faces share about terminals.

- To sanitise (`sanitise`) is to remove what a terminal would obey, and keep the words.
- Glyphs (`glyphs`) are the symbols on screen, as Unicode or ASCII; colour is decided there too.
- The editor (`editor`) is the user's own: ``VISUAL``, ``EDITOR``, or one that is found.

Open `sanitise` first.
"""
