"""Library map: moments arranged by similarity on a self-contained page."""
