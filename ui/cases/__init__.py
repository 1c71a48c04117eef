"""The Case studies tab."""
