"""The Ollama driver: ``/api/chat``, using the `ollama` package.

- A model (`model`) is what ``/api/tags`` and ``/api/show`` say about one: digest, template, window.
- The cloud is Ollama's own: a local server passes such a model's prompts on.
- An imitation is a server that speaks part of Ollama's protocol.
- `discover` finds an Ollama on this machine; `wire` has HTTP's limits and errors.

Open `driver` first, then `server`.
"""
