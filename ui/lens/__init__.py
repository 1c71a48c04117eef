"""The lens: one way to look into a thought, in Compare, Benchmarks, Case studies and Traces."""
