"""Means and medians with the 95 % interval in which they lie, so that no number stands alone."""

from dataclasses import dataclass
from math import floor, sqrt

NORMAL_95 = 1.959964
# Student's t for 95 % and 1, 2, … 30 degrees of freedom; beyond it the normal distribution is close enough.
STUDENT_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def student(freedom: float) -> float:
    """The 97.5 % point of Student's t. freedom: at least 1."""
    at = floor(freedom) - 1
    return STUDENT_95[max(0, at)] if at < len(STUDENT_95) else NORMAL_95


@dataclass(frozen=True)
class Mean:
    """A mean of n values with its standard error. interval: None for fewer than two values."""

    value: float | None
    error: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        if self.value is None or self.error is None or self.n < 2:
            return None
        half = student(self.n - 1) * self.error
        return self.value - half, self.value + half


def mean_of(n: int, total: float, squares: float) -> Mean:
    """From how many values, their sum and the sum of their squares."""
    if not n:
        return Mean(None, None, 0)
    mean = total / n
    spread = max(0.0, squares - n * mean * mean)
    return Mean(mean, sqrt(spread / (n - 1) / n) if n > 1 else None, n)


def difference(above: Mean, below: Mean) -> Mean:
    """Difference of two independent means with Welch's standard error (1947). n stands for its degrees of freedom + 1.

    Unknown where one of them is unknown or rests on a single value.
    """
    if above.value is None or below.value is None or above.error is None or below.error is None:
        return Mean(None, None, 0)
    a, b = above.error**2, below.error**2
    parts = a**2 / (above.n - 1) + b**2 / (below.n - 1)
    freedom = (a + b) ** 2 / parts if parts else above.n + below.n - 2
    return Mean(above.value - below.value, sqrt(a + b), floor(freedom) + 1)


def median_ranks(n: int) -> tuple[int, int]:
    """Places, from 1, of the sorted values between which the median lies with 95 %. n: at least 1.

    For fewer than six values no such pair exists: the least and the greatest are named.
    """
    half = NORMAL_95 * sqrt(n) / 2
    low = floor((n + 1) / 2 - half) if n >= 6 else 1
    low = max(1, low)
    return low, n + 1 - low
