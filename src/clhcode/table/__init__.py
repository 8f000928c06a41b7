"""The one table: its schema, and the files and streams it is read from and written to."""
