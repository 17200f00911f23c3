"""Running a batch on Ray."""
