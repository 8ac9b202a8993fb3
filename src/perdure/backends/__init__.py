"""Everything that speaks to a model: one protocol, its drivers, their errors.

- A backend (`protocol.Backend`) is one way to reach one model. A spec says which; it comes from a
  manifest in the companion.
- A driver implements backends of one kind: `embedded`, `ollama`, `openai`, `anthropic`.
- A hosted backend sends text to another machine. The destination is the host that it goes to.
- A route (`http.route`) is a server's address, resolved, checked and pinned.
- A fingerprint identifies the model behind a name, so that a change of model is noticed.
- A shape (`roles`) is the order of roles that a model's template accepts in a prompt.
- The store (`store`) holds model files on this machine; the catalogue names those we know.

Open `protocol` first, then `drivers`.
"""
