"""What chains tell of themselves: effective sample size and split R-hat, one value a coordinate.

References:
    A. Gelman et al., Bayesian Data Analysis, 3rd ed., sections 11.4 and 11.5; C. J. Geyer, Practical Markov chain
    Monte Carlo, Statist. Sci. 7 (1992) (initial monotone sequence).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def split_r_hat(draws: Array) -> Array:
    """Return the split R-hat of every coordinate: (draws, coordinates, chains) -> (coordinates,).

    Each chain is cut in two halves; 1 where the halves agree, 1 also for a coordinate that never moves in any.
    """
    half = len(draws) // 2
    if half < 2:
        return np.full(draws.shape[1], np.nan)
    halves = np.concatenate([draws[:half], draws[half : 2 * half]], axis=2)
    within = halves.var(axis=0, ddof=1).mean(axis=1)
    between = half * halves.mean(axis=0).var(axis=1, ddof=1)
    total = within * (half - 1) / half + between / half
    scale = np.abs(draws).max(axis=(0, 2)) ** 2 * 1e-24 + 1e-300
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total <= scale, 1.0, np.sqrt(total / within))


def effective_size(draws: Array) -> Array:
    """Return the effective sample size of every coordinate's mean: (draws, coordinates, chains) -> (coordinates,).

    Never more than the number of draws, though antithetic chains may do better.
    """
    length, coordinates, chains = draws.shape
    result = np.full(coordinates, float(length * chains))
    if length < 4:
        return np.full(coordinates, np.nan)
    for i in range(coordinates):
        z = draws[:, i, :] - draws[:, i, :].mean(axis=0)
        size = 1 << (2 * length - 1).bit_length()
        spectrum = np.fft.rfft(z, size, axis=0)
        power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
        covariance = np.fft.irfft(power, size)[:length] / length
        within = covariance[0] * length / (length - 1)
        between = draws[:, i, :].mean(axis=0).var(ddof=1) if chains > 1 else 0.0
        total = within * (length - 1) / length + between
        if total <= np.abs(draws[:, i, :]).max() ** 2 * 1e-24 + 1e-300:
            continue
        correlation = 1 - (within - covariance) / total
        correlation[0] = 1.0
        result[i] = length * chains / _autocorrelation_time(correlation)
    return result


def _autocorrelation_time(correlation: Array) -> float:
    """Return -1 + 2 sum of the initial positive monotone sequence of pairs, at least 1."""
    pairs = correlation[0 : len(correlation) - 1 : 2] + correlation[1::2]
    total, smallest = 0.0, np.inf
    for pair in pairs:
        if pair <= 0:
            break
        smallest = min(smallest, float(pair))
        total += smallest
    return max(1.0, 2 * total - 1)
