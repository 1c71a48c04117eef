"""Runs: planned, asked, graded and recorded, so that each can be stopped and resumed."""
