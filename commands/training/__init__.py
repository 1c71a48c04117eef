"""`arena train …`: training data, adapters, and a third model from preferences."""
