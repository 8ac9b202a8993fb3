"""The persona as files, and the check of them."""
