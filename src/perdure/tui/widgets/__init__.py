"""The parts of the chat screen that are no transcript.

Composer: the message box. Rail: conversations by date, then branches and tags.
Status line: who answers, where, and the keys that help. Flash: notices above the message box.
Unread: the hint that there is more below. Welcome: the card before the first message.

A widget shows what it is given and posts messages; it knows no session.
Begin with `composer`.
"""
