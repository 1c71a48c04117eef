"""Models: what they are, where their weights come from, how they are served and how their replies stream."""
