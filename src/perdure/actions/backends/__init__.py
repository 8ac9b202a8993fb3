"""Backends added, checked, put in order, confirmed and pinned; `manage.py` first.

Manifest: the file that says how a backend is reached. Fingerprint: what it says that it runs.
Lock entry: the fingerprint that it had when it was last seen on this device.
Form: the roles in which a request is sent, which some servers refuse and others need.
Test call: one tiny call, with no word of the companion in it.
Correction: how far a counter of tokens was off, learned from what the backend reports.
"""
