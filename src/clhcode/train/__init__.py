"""Training: examples from the pipeline itself, and what comes out of it."""
