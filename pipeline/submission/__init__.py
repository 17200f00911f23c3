"""Submit batches to a Ray cluster as jobs, and follow them."""
