"""Reports of a library's runs: collected, kept, and shown as pages."""
