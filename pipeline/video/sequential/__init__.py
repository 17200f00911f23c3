"""Decoding with OpenCV and decord, which give whole pictures one after another."""
