"""How much a customer spends at a time: the Gamma-Gamma model (`docs/scoring.md`).

Fader, Hardie & Lee 2005, “RFM and CLV”, Journal of Marketing Research 42:415-430; Fader & Hardie, note 025 (2013).
Somebody's amounts vary around a mean of their own, and the means vary between customers. It holds only where how much
somebody spends has nothing to do with how often.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, lgamma, log

from loyalty.minimising import lowest

STARTS = ((1.0, 1.0, 2.0), (1.8, 1.3, 2.7), (0.0, 2.0, 4.0), (3.0, 1.5, 1.0))
FARTHEST = 16.0
ROUGH = 4_000  # rows that are enough to find out where to search

Row = tuple[int, float, float, int]  # repeat purchases, their mean, its logarithm, how many have them


@dataclass(frozen=True)
class Spending:
    """Parameters, all above 0; gamma in the shop's currency."""

    p: float
    q: float
    gamma: float

    @property
    def mean(self) -> float | None:
        """What somebody unknown spends at a time; None where q is at most 1, because then there is no mean."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else None

    def expected(self, x: int, mean: float) -> float | None:
        """What a customer with x repeat purchases of `mean` each will spend at a time: E[M]. None where it has no value."""
        if x == 0:
            return self.mean
        below = self.p * x + self.q - 1
        return self.p * (self.gamma + x * mean) / below if below > 0 else None


def fit(rows: Iterable[tuple[int, float]], starts: Sequence[Sequence[float]] = STARTS) -> Spending:
    """Parameters from (repeat purchases, their mean value) of each repeater; both above 0. Of many rows a part decides
    where the search of all begins.

    Raises ValueError for no row, for one that is not above 0, and if no start arrives.
    """
    counted = sorted((x, mean, log(mean), n) for (x, mean), n in Counter(rows).items() if _positive(x, mean))
    total = sum(n for _x, _mean, _log, n in counted)
    if not total:
        raise ValueError("there is no repeat purchase to fit")
    level = log(sum(mean * n for _x, mean, _log, n in counted) / total)
    farthest = FARTHEST + abs(level)
    tried = [(p, q, gamma - 3.5 + level) for p, q, gamma in starts]  # the starts are made for amounts of about 33
    point, value = lowest(likelihood(counted[:: len(counted) // ROUGH + 1], farthest), tried)
    if len(counted) > ROUGH and isfinite(value):
        point, value = lowest(likelihood(counted, farthest), [point])
    if not isfinite(value):
        raise ValueError("these amounts are likely under no parameters that could be found")
    return Spending(*map(exp, point))


def likelihood(counted: Sequence[Row], farthest: float) -> Callable[[Sequence[float]], float]:
    """The mean negative log-likelihood as a function of the logarithms of p, q and gamma, infinite beyond `farthest`."""
    total = sum(n for _x, _mean, _log, n in counted)

    def lost(point: Sequence[float]) -> float:
        if max(map(abs, point)) > farthest:
            return inf
        p, q, gamma = map(exp, point)
        found = 0.0
        heads: dict[int, float] = {}
        for x, mean, log_mean, n in counted:
            px = p * x
            head = heads.get(x)
            if head is None:
                head = heads[x] = lgamma(px + q) - lgamma(px) + px * log(x)
            found += n * (head + (px - 1) * log_mean - (px + q) * log(gamma + x * mean))
        return -(found / total + q * point[2] - lgamma(q))

    return lost


def _positive(x: int, mean: float) -> bool:
    if x <= 0 or mean <= 0:
        raise ValueError(f"repeat purchases and their mean value must be above 0, not {x} and {mean}")
    return True
