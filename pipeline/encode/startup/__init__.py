"""Loads networks of open_clip without the work that they do not need: unused packages and random weights."""
