"""Reads the bytes of videos on local disks, on web servers and in object stores."""
