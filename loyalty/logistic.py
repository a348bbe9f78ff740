"""Logistic regression on counted rows, by Newton's method (iteratively reweighted least squares), in plain Python."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, sqrt

STEPS = 50
CLOSE = 1e-10
FARTHEST = 30.0  # of a coefficient: beyond it the rows are parted perfectly and nothing can be told

Row = tuple[Sequence[float], int, int]  # values, how many, of them with the outcome


@dataclass(frozen=True)
class Effect:
    """Change of the log odds for one more of a value, with its standard error."""

    value: float
    error: float


def fit(rows: Iterable[Row]) -> list[Effect]:
    """The intercept and one effect a value. Raises ArithmeticError where the rows do not decide them."""
    counted = [((1.0, *values), n, hits) for values, n, hits in rows if n]
    if not counted:
        raise ArithmeticError("there is nothing to fit")
    size = len(counted[0][0])
    found = [0.0] * size
    for _step in range(STEPS):
        slope, bend = _derivatives(counted, found)
        inverse = inverted(bend)
        step = [sum(a * b for a, b in zip(line, slope, strict=True)) for line in inverse]
        found = [a + b for a, b in zip(found, step, strict=True)]
        if max(map(abs, found)) > FARTHEST:
            raise ArithmeticError("the values part the outcomes perfectly")
        if max(map(abs, step)) < CLOSE:
            return [Effect(value, sqrt(inverse[at][at])) for at, value in enumerate(found)]
    raise ArithmeticError("no fit was reached")


def _derivatives(
    counted: Sequence[tuple[tuple[float, ...], int, int]], at: Sequence[float]
) -> tuple[list[float], list[list[float]]]:
    """Slope of the log-likelihood and the negative of its second derivatives."""
    size = len(at)
    slope, bend = [0.0] * size, [[0.0] * size for _ in range(size)]
    for values, n, hits in counted:
        chance = 1 / (1 + exp(-max(-700.0, min(700.0, sum(a * b for a, b in zip(at, values, strict=True))))))
        left, weight = hits - n * chance, n * chance * (1 - chance)
        for i in range(size):
            slope[i] += left * values[i]
            for j in range(size):
                bend[i][j] += weight * values[i] * values[j]
    return slope, bend


def inverted(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The inverse, by Gauss and Jordan with the largest pivot. Raises ArithmeticError for a singular matrix."""
    size = len(matrix)
    lines = [[*map(float, line), *(float(i == j) for j in range(size))] for i, line in enumerate(matrix)]
    for at in range(size):
        best = max(range(at, size), key=lambda row: abs(lines[row][at]))
        lines[at], lines[best] = lines[best], lines[at]
        pivot = lines[at][at]
        if abs(pivot) < 1e-12:
            raise ArithmeticError("the values do not differ enough")
        lines[at] = [value / pivot for value in lines[at]]
        for row in range(size):
            if row != at and lines[row][at]:
                factor = lines[row][at]
                lines[row] = [a - factor * b for a, b in zip(lines[row], lines[at], strict=True)]
    return [line[size:] for line in lines]
