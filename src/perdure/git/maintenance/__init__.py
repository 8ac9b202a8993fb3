"""Checking a repository, and keeping its indexes fresh."""
