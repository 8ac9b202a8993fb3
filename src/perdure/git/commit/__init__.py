"""Committing: the write order, transactions, recovery after a crash."""
