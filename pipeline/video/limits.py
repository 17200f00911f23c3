"""Memory limits for untrusted pictures and video frames."""

from __future__ import annotations

__all__ = ["MOST_PICTURE_BYTES", "MOST_PIXELS", "MOST_SCANNED_PIXELS", "MOST_TILE_PIXELS", "MOST_WEBP_PIXELS"]

MOST_PIXELS = 2**27
"""Maximum pixels of a picture file or frame: 16384 x 8192. A header may claim any size, and a decoder would allocate
it. No video in use is larger, and a photograph of 108 megapixels is smaller."""

MOST_WEBP_PIXELS = 2**26
"""Maximum pixels of a WebP file: 8192 x 8192. Pillow's decoder needs 16 bytes per pixel, four copies of the picture."""

MOST_PICTURE_BYTES = 2**28
"""Maximum size of a picture file in bytes: 89 megapixels fit uncompressed, and more in any compressed format."""

MOST_SCANNED_PIXELS = 2**31
"""Maximum number of scans times pixels of a progressive JPEG: 16 scans of the largest picture, 178 of one with 12
megapixels. Encoders make 6 to 12 scans. Each scan can take as little as 200 bytes in the file, but costs the decoder a
pass over the whole picture."""

MOST_TILE_PIXELS = 2**24
"""Maximum pixels of a TIFF file's tile, if the picture itself is smaller: 4096 x 4096."""
