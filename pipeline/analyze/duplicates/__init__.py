"""Near-duplicate detection: finds footage that occurs in several videos, or several times in one."""
