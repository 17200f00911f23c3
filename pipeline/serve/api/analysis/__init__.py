"""Routes of the analyses: labels, marks, review and concepts."""
