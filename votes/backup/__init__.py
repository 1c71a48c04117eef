"""Copies of the rows outside this machine, pushed every few minutes and brought back at the next start."""
