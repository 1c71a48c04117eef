"""Votes cast elsewhere: read in the forms others publish, and kept apart by source."""
