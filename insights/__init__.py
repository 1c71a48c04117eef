"""What votes mean: preference adjusted for position and style, compared with correctness, and by topic."""
