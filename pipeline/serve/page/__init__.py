"""The page: templates, and static files that come with momentseek and need no build and no network."""
