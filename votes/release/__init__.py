"""Votes as a dataset that may be published: agreed to, searched for personal data, with a card that counts it all."""
