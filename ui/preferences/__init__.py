"""The Preferences tab."""
