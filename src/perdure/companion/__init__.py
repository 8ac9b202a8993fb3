"""What a companion is: files in, values out. No git, no network.

- A companion is a tree of text files. Modules here turn the bytes of a file into values and back.
- A turn (`turns`) is a user's message with its replies; a conversation is a series of turns.
- A chunk (`conversation`) is one file of a conversation; a long conversation has several.
- The persona (`persona`) is who she is; memory (`memory`) is what she knows: facts, lore,
  summaries, proposals, and what is set aside.
- Settings (`config`) are ``companion.yaml``; a manifest says how to reach one backend; a lock entry
  says which model a backend ran on one device.
- Trouble (`errors`) is a part of a file that does not follow the format. It is reported, and the
  rest of the file is read.

Open `turns` first, then `conversation/chunk`.
"""
