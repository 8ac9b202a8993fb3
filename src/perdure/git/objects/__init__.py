"""Git's objects: commits, trees and blobs, each named by the hash of its content.

A *blob* is the content of a file, a *tree* a folder, a *commit* a tree with its parents, author and
message. An *id* is the SHA-1 in hex. A *loose* object is a file of its own; a *pack* holds many. A
*delta* is an object stored as a change of another one, its *base*. Open `store.py` first: it reads
an object wherever it is. `tree.py` walks, compares and edits trees without a work tree, `fsck.py`
says what is odd about objects from outside, `new_objects.py` what commits need beyond what is
*known*. Formats: git's ``gitformat-pack``.
"""
