"""The labels of a library: what searches and the rows of the index know of them."""
