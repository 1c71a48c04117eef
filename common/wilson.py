"""Wilson's score interval of a proportion."""

from math import sqrt

Z95 = 1.959963984540054
"""The standard normal quantile of a two-sided 95 % interval."""


def wilson_bounds(successes: float, trials: float) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, JASA 22, 1927). Counts may be fractional, as with ties that count
    half. Raises ZeroDivisionError without trials."""
    share, spread = successes / trials, Z95 * Z95 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    # Rounding must not push a share of 0 or 1 out of its own interval.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
