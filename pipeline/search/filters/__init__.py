"""Choosing the videos that a question is about: by name, by metadata, and by the time of recording."""
