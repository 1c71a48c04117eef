"""Publishing: adapters with their provenance, datasets, ablations."""
