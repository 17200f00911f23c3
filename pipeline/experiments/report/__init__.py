"""The page of an experiment."""
