"""The persona as files, and the check of them.

- The persona (`persona`) is the Markdown files that make the system prompt, the greetings, the
  sample dialogues and the reminder, which is repeated near the end of the prompt.
- A placeholder is ``{{char}}`` or ``{{user}}``; a name replaces it.
- The check (`check`) returns findings, each with a file, a line and a next step.
- The size of a file is its tokens; the window is what the smallest backend can take.

Open `persona` first, then `check`.
"""
