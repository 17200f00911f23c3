"""Weights of models: located, downloaded, checked, interpolated, and loaded without a random start."""
