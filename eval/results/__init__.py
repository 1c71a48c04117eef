"""Results of runs: samples in DuckDB, comparisons, reports."""
