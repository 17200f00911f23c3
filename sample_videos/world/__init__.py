"""A small world that can be described, drawn at any moment and size, and asked what is true of it."""
