"""Filters: select videos by name, by metadata and by recording time."""
