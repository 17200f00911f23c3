"""Memory limits for untrusted pictures and video frames."""

from __future__ import annotations

__all__ = ["MOST_PICTURE_BYTES", "MOST_PIXELS", "MOST_SCANNED_PIXELS", "MOST_TILE_PIXELS", "MOST_WEBP_PIXELS"]

MOST_PIXELS = 2**27
"""Pixels of one picture, whether it is a file or a frame: 16384 x 8192. A header may claim any size, and a decoder
would allocate it. No video in use is larger, and a photograph of 108 megapixels is smaller."""

MOST_WEBP_PIXELS = 2**26
"""Pixels of a WebP file: 8192 x 8192. Its decoder in Pillow holds a picture four times over, 16 bytes a pixel."""

MOST_PICTURE_BYTES = 2**28
"""Bytes of a picture file: 89 megapixels fit uncompressed, and more of any compressed format."""

MOST_SCANNED_PIXELS = 2**31
"""Pixels that the scans of a progressive JPEG go over, all together: 16 scans of the largest picture, 178 of one of 12
megapixels. Encoders make 6 to 12 scans; each costs the decoder a pass over the whole picture, and the file some 200
bytes."""

MOST_TILE_PIXELS = 2**24
"""Pixels of a TIFF file's tile, if the picture itself is smaller: 4096 x 4096."""
