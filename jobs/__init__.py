"""Entry points of Ray jobs: indexing and labelling videos, rebuilding an index and running an experiment."""
