"""The OpenCV and decord backends, which decode every picture in sequence."""
