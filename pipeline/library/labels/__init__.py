"""The labels of a library, for searches and the rows of the index."""
