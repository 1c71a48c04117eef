"""The page on open-ended results, inside the Case studies tab."""
