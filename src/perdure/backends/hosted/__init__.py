"""What the drivers for models behind a server share.

- A server backend (`server_backend`) has an address and connects when it opens; a doubt is what the
  server then said against the key or the model.
- A hosted backend (`backend`) is one behind a web API; `sdk_server` and `sdk_wire` sit above and
  below the provider's package.
- A request form (`request_form`) is what a server accepts: the shape of the prompt and the fields
  it does not refuse.
- Thoughts (`thoughts`) are a model's reasoning, kept apart from its reply.
- A refusal (`api_errors`) is an error that another form of the request may avoid.

Open `backend` first.
"""
