"""From a source of weights to a folder on this machine."""
