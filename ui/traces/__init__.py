"""The Traces tab."""
