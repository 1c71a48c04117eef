"""`arena train …`: training files, adapters, and a third model from preferences."""
