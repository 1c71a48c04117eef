"""`arena votes …`: what votes add up to and mean, and votes to and from files."""
