"""Policies: rules over phrases, labels and concepts, their decisions, and where videos go by them."""
