"""The command line: all parsing of arguments, all printing to a terminal. Nothing below knows a terminal."""
