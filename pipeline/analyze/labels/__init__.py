"""Zero-shot labels: label files, and the scores of frames for all labels of a file at once."""
