"""One module for each section of the benchmark; `run(bench)` measures it."""
