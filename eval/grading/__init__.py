"""What is right: the answer in a reply, and whether it equals the gold answer."""
