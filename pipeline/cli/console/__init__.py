"""Output on the terminal: tables, answers, progress and log lines."""
