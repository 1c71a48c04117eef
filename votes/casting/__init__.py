"""Casting votes: the desk, the rules and limits it enforces, and the views it hands out."""
