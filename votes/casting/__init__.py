"""How a vote is cast: the desk, the rules and limits it enforces, and what it hands out."""
