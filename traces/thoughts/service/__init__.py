"""Services asked for thoughts: paced, priced, retried, and every attempt kept as soon as it is made."""
