"""The folder that is pushed as a Hugging Face Space."""
