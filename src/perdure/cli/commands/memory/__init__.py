"""``perdure memory`` and the commands below it."""
