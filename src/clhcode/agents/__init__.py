"""The four agents. Each is a conversation: it owns the tools, an engine does the judging."""
