"""Data sets: from the layout they are published in to the one table, a file for each."""
