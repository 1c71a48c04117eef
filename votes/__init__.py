"""Preferences: ballots, the rules for casting them, their store and what they add up to."""
