"""A third model: the distilled one, tuned by preference on votes or on its own graded samples, and measured."""
