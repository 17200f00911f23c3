"""What every request passes: checks of host, origin and token, limits, headers, and errors as problem details."""
