"""Which roles a model's template takes, and prompts folded into that shape.

- A role is system, user or assistant. A shape (`shape`) says which of them may stand where.
- To fold a prompt is to join and relabel its messages until they fit a shape.
- A trial (`template`) is a short conversation that a template renders, to find its shape.
- A refusal (`refusal`) is what a server says when it rejects the roles of a prompt.

Open `shape` first.
"""
