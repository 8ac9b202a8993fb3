"""HTTP to one server: addresses, routes, errors, streams, timeouts."""
