"""Problem sets: the benchmarks, the open-ended sets, the sycophancy probe and the generated families."""
