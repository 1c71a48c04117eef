"""Requesting thoughts from services, with pacing, pricing and retries; every attempt is kept as soon as it is made."""
