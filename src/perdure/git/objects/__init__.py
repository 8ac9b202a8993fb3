"""Objects: commits, trees, blobs, loose or in packs."""
