"""A map of a library: its moments laid out by likeness, on one self-contained page."""
