"""A trace, whether it is kept and why, and what each way of making traces yields."""
