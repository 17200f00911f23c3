"""The index in Milvus: Milvus Lite in a folder, or a server."""
