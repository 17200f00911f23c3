"""Routes of what the analyses find: labels, marks, review and concepts."""
