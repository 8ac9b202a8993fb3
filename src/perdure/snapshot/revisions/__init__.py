"""Revisions, dates and differences between them."""
