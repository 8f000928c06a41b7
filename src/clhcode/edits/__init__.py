"""Edits: rules on a set of codes, like a linter's, each with a code, a source and an example."""
