"""Case studies: the paper's five and people's own, with the runs of them."""
