"""The `arena` command: argument parsing, printing and signals. No other package uses the terminal."""
