"""Runs batches on Ray."""
