"""Commands that make, translate and export traces, and their common options for the service that is asked."""
