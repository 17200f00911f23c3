"""Processes one video: decodes it into batches of frames, and collects their embeddings."""
