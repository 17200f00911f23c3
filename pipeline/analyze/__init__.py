"""Frame analysis: labels, policies, concepts and unusual moments, computed from stored frame embeddings."""
