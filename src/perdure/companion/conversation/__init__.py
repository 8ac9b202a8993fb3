"""The chunk format: conversations as Markdown files.

- A chunk is one file of a conversation: a head (its front matter), then turns in number order.
- A header is the line above each message; quoted lines below it are the message's text.
- An answer is the replies to a turn that share a number. One answer is shown; the others are in the
  alternatives file beside the chunk.
- `parser` reads any file, damaged or not; `chunk` writes, and reads what was written.
- `edit` changes turns in a chunk, `merge` joins two versions of a conversation, `split` moves turns
  to a conversation of their own.

Open `chunk` first; ``docs/format.md`` is the specification.
"""
