"""The bytes of a video, wherever they are: on a disk, on a web server, or in an object store."""
