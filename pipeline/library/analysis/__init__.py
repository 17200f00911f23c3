"""Analyses of a library, one file each: they read its store and write their results beside it."""
