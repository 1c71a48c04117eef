"""The Transparency tab."""
