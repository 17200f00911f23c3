"""Checks, replays and routes the videos of a library by policies."""
