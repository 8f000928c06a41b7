"""From a phrase to codes: a dictionary of what the classification calls things, then retrieval."""
