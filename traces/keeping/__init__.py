"""Traces, the rules by which they are kept or rejected, and what each way of making them yields."""
