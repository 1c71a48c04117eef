"""`arena sets`, `run`, `runs`, `report`, `grade` and their kin: the benchmarks on the command line."""
