"""Milvus Lite folders: checked, served to this process, and closed."""
