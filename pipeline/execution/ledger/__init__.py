"""Tracks each source of a batch, and writes its embeddings, rows and report."""
