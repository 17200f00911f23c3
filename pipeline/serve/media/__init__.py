"""Pictures and files of a library's videos, as a browser needs them."""
