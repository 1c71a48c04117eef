"""Experiments on thoughts: cut short, given to the other model, resampled sentence by sentence, scored by both."""
