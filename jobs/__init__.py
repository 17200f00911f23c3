"""Entry points of Ray jobs: indexing videos, rebuilding an index and running an experiment."""
