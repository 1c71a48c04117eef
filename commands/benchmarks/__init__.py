"""`arena sets`, `run`, `runs`, `report`, `grade` and related commands: benchmarks on the command line."""
