"""Corrections of timestamps, keyframe flags and stream ends that containers report wrongly."""
