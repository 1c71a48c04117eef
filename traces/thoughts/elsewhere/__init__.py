"""Thoughts that were written elsewhere: published datasets, and batches that another machine answers."""
