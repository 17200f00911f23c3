"""Track each source of a batch, and write its embeddings, rows and report."""
