"""Analyses of a library, one file each, which read its store and write their results beside it."""
