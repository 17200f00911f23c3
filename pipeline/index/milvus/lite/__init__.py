"""A Milvus Lite folder: checked, served to this process, and closed."""
