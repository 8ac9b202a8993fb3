"""Models on this machine: the catalogue, downloads, digests."""
