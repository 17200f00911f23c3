"""Batches that a client starts: each runs in a process of its own, and the server follows it."""
