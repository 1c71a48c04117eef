"""From a recipe and traces to an adapter."""
