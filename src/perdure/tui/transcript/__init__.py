"""The transcript: all conversations as one scroll of rows, read and drawn only where one looks.

Block: one message, a divider, or a notice of the program. Page: the blocks of one chunk.
Scrollback: pages, most of which were never read, as one column of rows. Location: a row of it, by
page and block. Anchor: a row by the message that it belongs to, found again after a reload.
Feed: the history, this session's blocks and the reply that streams. Painter: draws blocks.
Viewport: the rows in view. Cursor: the message that keys act on.
"""
