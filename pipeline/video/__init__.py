"""Opening, probing and decoding videos."""
