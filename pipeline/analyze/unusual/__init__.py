"""Unusual moments: what is least like the rest of a camera's recordings."""
