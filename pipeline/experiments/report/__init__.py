"""Draws the page of an experiment."""
