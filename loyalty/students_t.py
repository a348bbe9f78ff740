"""Student's t distribution and what follows from it: intervals, Welch's test, Holm's correction. Exact to 1e-9.

Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 26.5 and 26.7; Welch 1947; Holm 1979.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import exp, lgamma, log, sqrt

SURE = 0.05


def tail(t: float, freedom: float) -> float:
    """Chance of a value beyond ±|t|, 0 to 1. freedom: degrees of freedom, above 0."""
    return incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


@lru_cache(maxsize=4096)
def quantile(freedom: float, sure: float = SURE) -> float:
    """The t beyond whose ± lies the share `sure`: 2.201 for 11 degrees of freedom and 0.05."""
    low, high = 0.0, 1e4
    for _step in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, freedom) > sure else (low, middle)
        if high - low < 1e-10 * max(1.0, high):
            break
    return (low + high) / 2


def half_width(n: int, spread: float) -> float:
    """Half the 95 % interval of a mean of n values with standard deviation `spread`. n: at least 2."""
    return quantile(n - 1) * spread / sqrt(n)


def welch(n: int, mean: float, spread: float, other_n: int, other_mean: float, other_spread: float) -> float | None:
    """How likely two such means would differ at least so much by chance (p), or None if it cannot be told.

    Below 0.05 exactly when Welch's 95 % interval of the difference excludes 0. Each n: at least 2.
    """
    if n < 2 or other_n < 2:
        return None
    a, b = spread**2 / n, other_spread**2 / other_n
    if a + b <= 0:
        return 1.0 if mean == other_mean else 0.0
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (other_n - 1))
    return tail((mean - other_mean) / sqrt(a + b), freedom)


def holm(chances: Mapping[str, float], sure: float = SURE) -> set[str]:
    """Which of several tests hold after Holm's correction: step by step from the least chance."""
    found: set[str] = set()
    ordered = sorted(chances.items(), key=lambda one: one[1])
    for place, (name, chance) in enumerate(ordered):
        if chance >= sure / (len(ordered) - place):
            break
        found.add(name)
    return found


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), 0 to 1."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 26.5.8 by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    found = d
    for m in range(1, 500):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / _away(1 + term * d, tiny), _away(1 + term / c, tiny)
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return found


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
