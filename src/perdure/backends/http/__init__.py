"""HTTP to one server: addresses, routes, errors, streams, timeouts.

- An address (`address`) is the checked URL of a server. Only loopback may use plain HTTP, unless
  the manifest allows it.
- A route (`route`) resolves the name, checks where it leads and connects to exactly that.
- An event stream (`event_stream`) is the bytes of a reply, cleaned of what servers mix in.
- A server message (`error_body`) is a server's own words about an error; `errors` turns statuses
  and lost connections into the errors of `backends.errors`.
- `timeouts` says how long each step may take.

Open `route` first.
"""
