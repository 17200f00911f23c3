"""Checks and limits that every request passes: host, origin, token, headers, and errors as problem details."""
