"""The command `arena`: parsing arguments, printing and signals. Nothing below this package uses a terminal."""
