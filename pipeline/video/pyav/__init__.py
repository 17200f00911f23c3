"""The PyAV backend: demuxing, planning and decoding packet by packet."""
