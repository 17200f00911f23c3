"""Choosing the frames that are worth encoding."""
