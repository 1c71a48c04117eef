"""What votes mean: preference free of position and style, against what is right, and by topic."""
