"""Lists that open over the conversation and leave it in view.

Drawer: a list with the text of its row beside it, or below it where the terminal is narrow.
Search: moments in all conversations, found by words. Prompt inspector: the prompt of one turn,
part by part, or the one that would be sent now.

A drawer gives back the turn to go to, or nothing. Begin with `drawer`, which both stand on.
"""
