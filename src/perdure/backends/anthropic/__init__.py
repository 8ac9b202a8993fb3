"""The Anthropic driver: ``/v1/messages``, using the `anthropic` package.

`driver` has the backend: it makes the request's body. `server` talks to the server and turns its
events into ours. What it shares with the OpenAI driver is in `backends.hosted`.
"""
