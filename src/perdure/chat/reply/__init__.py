"""A backend's side of a turn: what it is sent, and what comes back.

ReplyRequest: one question to one backend. `stream.py` asks it, and is the file to begin with.
PromptSources: memory, recall and the choice before; `prompt.py` makes a BuiltPrompt of them.
PromptTarget: the backend that a prompt is counted for: its window, its tokenizer.
RecalledTurns: earlier turns that fit the message, found without holding it up (`recall.py`).
StreamedReply: what came: words, thoughts, a failure; the reply and trailers as they are recorded.
End: what the user is told of a reply that was cut, refused or empty (`end.py`).
"""
