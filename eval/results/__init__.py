"""What runs add up to: samples in DuckDB, comparisons, reports."""
