"""Sending batches to a Ray cluster as jobs, and following them there."""
