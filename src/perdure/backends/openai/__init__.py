"""The OpenAI driver: ``/v1/chat/completions``, using the `openai` package.

`driver` has the backend: it makes the request's body. `server` talks to any of the many servers of
this protocol and turns their chunks into events. What it shares with the Anthropic driver is in
`backends.hosted`.
"""
