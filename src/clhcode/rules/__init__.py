"""The built-in answers to the two questions, for when there is no model."""
