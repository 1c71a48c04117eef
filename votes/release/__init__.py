"""Votes as a publishable dataset: with consent, checked for personal data, and with a dataset card of all counts."""
