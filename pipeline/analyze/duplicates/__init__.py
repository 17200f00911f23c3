"""Near-duplicates: find the same footage in several videos, or several times in one."""
