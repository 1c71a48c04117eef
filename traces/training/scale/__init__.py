"""Training beyond one process: the process group, one launch per phase, memory and disk requirements."""
