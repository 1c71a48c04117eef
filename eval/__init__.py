"""Benchmarks: problems, samples, grades, and what they say about a base and its distilled model.

Independent of the screen, of votes, and of how the distilled model was trained.
"""
