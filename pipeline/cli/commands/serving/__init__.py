"""Commands that serve a library to other programs."""
