"""Chat from the command line.

- `turn` runs one turn: the reply to stdout, the rest to stderr.
- `plain` is the chat in plain lines, for screen readers and simple terminals.
- A visit (`visit`) is a conversation with her as she was, on a scratch branch.
"""
