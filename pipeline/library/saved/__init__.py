"""What people save in a library under a name: cases and questions."""
