"""Statistics as pure functions: metrics of one model, paired comparison of two, agreement of judges."""
