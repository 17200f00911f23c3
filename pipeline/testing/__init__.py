"""Contract suites: the tests that every implementation of a seam must pass."""
