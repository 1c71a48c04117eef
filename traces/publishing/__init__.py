"""What goes out: adapters with their provenance, datasets, ablations."""
