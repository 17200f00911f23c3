"""Process one video: decode it into batches of frames, and collect their embeddings."""
