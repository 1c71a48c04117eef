"""Grading: finding the answer in a reply, and deciding whether it equals the gold answer."""
