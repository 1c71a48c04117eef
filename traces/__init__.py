"""Long-thought traces: how they are made, verified, trained on, published and read.

Independent of the user interface and of votes.
"""
