"""The classification: official files read, compiled to one store, walked like a coder does."""
