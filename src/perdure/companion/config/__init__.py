"""``companion.yaml``, the manifests of backends, and their lock files.

- Settings (`settings`): the companion's name, failover order and policies, from ``companion.yaml``.
- A manifest (`manifest`), ``backends/<name>.yaml``, says how to reach one model.
- A lock file (`backend_lock`), ``backends.lock/<device>.yaml``, has a lock entry for each backend:
  the fingerprint of the model it last ran on that device.
- The format version is in `upgrades`.

Open `settings` first.
"""
