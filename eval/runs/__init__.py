"""Runs: planned, asked, graded and written down, so that each can be stopped and resumed."""
