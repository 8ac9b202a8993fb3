"""YAML as data: read strictly, read fast, written safely.

- A node (`strict`) is a scalar, a sequence or a mapping, each with its line; aliases, anchors and
  tags are errors.
- A struct (`schema`) is a msgspec class that a node is checked against.
- Front matter is the YAML between two ``---`` at the top of a Markdown file. `fast` reads what
  perdure wrote without the YAML library.
- `quote` writes a text as a value that every YAML reader reads back unchanged.

Open `strict` first.
"""
