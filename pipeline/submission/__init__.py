"""Submits batches to a Ray cluster as jobs, and follows them."""
