"""Unusual moments: moments that differ most from the rest of a camera's recordings."""
