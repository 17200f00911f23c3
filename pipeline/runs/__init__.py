"""Record the runs of a library: their reports and pages."""
