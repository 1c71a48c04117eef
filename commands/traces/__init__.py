"""`arena traces …`: filter problems; generate, select and export thoughts and solutions."""
