"""Policies: rules on phrases, labels and concepts, their decisions, and the routing of videos."""
