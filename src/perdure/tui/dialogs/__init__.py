"""Small screens over any other: each asks one thing, or shows one text, and closes.

Question: what an act would do, in sentences, and the choices; the default never loses anything.
Picker: a choice among backends. Name: a line to type, checked while it is typed.
Edit: a box with a text to correct. Text: a text to read in full. Help: the keys that work here.

A dialog gives its answer to whoever opened it, or None when it is closed with escape.
Begin with `question`, which most acts open.
"""
