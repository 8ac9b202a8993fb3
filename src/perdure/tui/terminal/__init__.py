"""The terminal itself, below Textual.

Driver: the object through which Textual writes to the terminal and hears from it.
Event: a key, a paste, a mouse move or a report of the terminal, read from its bytes.

Whatever bytes come, none ends the program and none acts as a key that it is not.
Begin with `driver`; `input` reads the bytes.
"""
