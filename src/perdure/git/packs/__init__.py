"""Packs: written, joined, repacked."""
