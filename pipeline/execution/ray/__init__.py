"""Run batches on Ray."""
