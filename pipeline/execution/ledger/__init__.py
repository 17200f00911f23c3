"""The record of a batch: what is written to the store and the index, and reported, for each source."""
