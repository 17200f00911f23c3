"""Milvus Lite folders: check, serve to this process, and close."""
