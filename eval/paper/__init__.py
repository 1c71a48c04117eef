"""What the paper reports, and its transparency index."""
