"""Our own files below ``.git/perdure``: whose they are, and what may stand in them."""
