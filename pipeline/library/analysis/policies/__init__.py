"""Check, replay and route by policies: reads a library for what pipeline.analyze.policies decides."""
