"""The toolkit of the pages: text, HTML and SVG, plots, and drawing."""
