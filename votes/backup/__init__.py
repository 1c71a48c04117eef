"""Off-site copies of the rows, pushed every few minutes and restored at the next start."""
