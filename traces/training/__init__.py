"""Training an adapter from a recipe and traces."""
