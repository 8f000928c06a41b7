"""Engines: whatever answers the agents' questions. A new engine is one file here."""
