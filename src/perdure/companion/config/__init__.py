"""``companion.yaml``, the manifests of backends, and their lock files."""
