"""Thoughts written elsewhere: published datasets, and batches answered on another machine."""
