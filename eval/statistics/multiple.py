"""Many comparisons at once."""

from collections.abc import Sequence

import numpy as np

ALPHA = 0.05
"""A difference counts where its corrected p-value is below this."""


def holm(p_values: Sequence[float] | np.ndarray) -> list[float]:
    """p-values corrected for all comparisons made, in the order given (Holm, 1979, Scand. J. Statist. 6).

    The smallest of n is multiplied by n, the next by n − 1, …; none is smaller than one before it, or larger than 1.
    statsmodels gives the same, but collects garbage at every call, which takes a second in a large process.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return [float(value) for value in corrected]
