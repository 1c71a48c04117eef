"""What spaces.yaml says, what this machine is, and what fits on it."""
