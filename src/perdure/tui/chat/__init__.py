"""The chat screen and its controllers.

Conversation: what is open, on which branch, and whether a turn or an action runs; its widgets.
Turn controller: sends messages, one turn after another. Presenter: shows a turn's events as blocks.
History, merge, answer controller: act on the repository, one action at a time.
Panel controller: opens what goes over the conversation. Host: what panels know of this screen.
Draft: what was typed and not sent. Pages: the committed history as the transcript reads it.
"""
