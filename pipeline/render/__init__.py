"""Toolkit for pages: text, HTML and SVG, plots, and drawing."""
