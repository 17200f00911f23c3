"""The work on one video: its frame batches, and its embeddings on their way back."""
