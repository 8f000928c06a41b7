"""The command line: thin files, one a command, loaded when they are called."""
