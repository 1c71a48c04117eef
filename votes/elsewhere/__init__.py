"""Votes from other arenas: read from the formats they are published in, and stored separately by source."""
