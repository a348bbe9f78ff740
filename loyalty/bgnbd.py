"""How often customers without a contract will buy: the BG/NBD model (`docs/scoring.md`).

Fader, Hardie & Lee 2005, “Counting Your Customers” the Easy Way, Marketing Science 24(2):275-284. While alive a customer
buys at random with a rate of their own (gamma: r, alpha); after each purchase they may be gone for good with a chance of
their own (beta: a, b).

A history is (x, t_x, T): repeat purchase days, weeks from the first to the last, weeks from the first until now.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, isfinite, lgamma, log

from loyalty.minimising import lowest

History = tuple[int, float, float]

# Where the search begins, as logarithms of r, alpha, a, b: a usual shop, few and many who go, a slow and a fast one.
STARTS = ((-1.4, 1.5, -0.2, 0.9), (0.0, 1.0, 0.0, 0.0), (0.0, 3.0, -2.0, 1.0), (-0.7, 3.0, 1.0, 2.0))
FARTHEST = 14.0  # a logarithm beyond it means that the data do not decide this parameter
LARGEST_EXPONENT = 700.0  # of what exp can still answer
NEAR = 1e-6
ROUGH = 4_000  # different histories that are enough to find out where to search
TERMS = 200_000


@dataclass(frozen=True)
class Model:
    """Parameters, all above 0; alpha in weeks."""

    r: float
    alpha: float
    a: float
    b: float

    def alive(self, x: int, t_x: float, T: float) -> float:
        """Probability that the customer has not gone, above 0 and at most 1.

        It is 1 for everybody without a repeat purchase, whatever happened: never show it for them.
        """
        return 1 / (1 + self._gone_odds(x, t_x, T))

    def _gone_odds(self, x: int, t_x: float, T: float) -> float:
        if x == 0:
            return 0.0
        exponent = (self.r + x) * log((self.alpha + T) / (self.alpha + t_x))
        return self.a / (self.b + x - 1) * exp(min(exponent, LARGEST_EXPONENT))

    def purchases(self, t: float, x: int, t_x: float, T: float) -> float:
        """Expected purchase days in the next `t` weeks, given the history: E[Y(t)]."""
        return self.if_alive(t, x, T) * self.alive(x, t_x, T)

    def if_alive(self, t: float, x: int, T: float) -> float:
        """The numerator of E[Y(t)]: what would be expected of a customer known to be alive. t_x does not matter for it.

        Of the published form and the one transformed by Euler, (1-z)^(r+x) 2F1(r+x, b+x; c; z) =
        (1-z)^(a-1) 2F1(a+b-1-r, a-1; c; z), that one is worked out whose series stays small: the published one for large
        a, the other for many purchases. So neither thousands of purchases nor customers who are all alike overflow.
        """
        if t <= 0:
            return 0.0
        at = self._off_the_poles(x)
        c = at.a + at.b + x - 1
        z = t / (at.alpha + T + t)
        k = at.r + x
        if at.a - 1 > k:
            power, series = k, hypergeometric(k, at.b + x, c, z)
        else:
            power, series = at.a - 1, hypergeometric(at.a + at.b - 1 - at.r, at.a - 1, c, z)
        kept = exp(power * log((at.alpha + T) / (at.alpha + T + t)))
        return max(0.0, c / (at.a - 1) * (1 - kept * series))

    def _off_the_poles(self, x: int) -> "Model":
        """The formula has a limit at a = 1 and at a + b + x = 1, but no value: step aside."""
        at = self
        if abs(at.a - 1) < NEAR:
            at = replace(at, a=1 + NEAR)
        if abs(at.a + at.b + x - 1) < NEAR:
            at = replace(at, b=at.b + NEAR)
        return at

    def none(self, t: float, x: int, t_x: float, T: float) -> float:
        """Probability of no purchase in the next `t` weeks, above 0 and at most 1."""
        silent = exp(-(self.r + x) * log((self.alpha + T + t) / (self.alpha + T)))
        return 1 - self.alive(x, t_x, T) * (1 - silent)

    def discounted(self, x: int, T: float, periods: int, weeks: float, rate: float) -> float:
        """Σ (numerator(τ) - numerator(τ-1)) / (1 + rate)^τ over `periods` of `weeks`; times `alive` it is of the history."""
        total = before = 0.0
        for period in range(1, periods + 1):
            until = self.if_alive(period * weeks, x, T)
            total += (until - before) / (1 + rate) ** period
            before = until
        return total


def hypergeometric(a: float, b: float, c: float, z: float) -> float:
    """Gauss's 2F1 by its series. z: 0 or more, below 1. Raises ArithmeticError where the series does not end."""
    term = total = 1.0
    for k in range(TERMS):
        term *= (a + k) * (b + k) / ((c + k) * (k + 1)) * z
        total += term
        if abs(term) <= 1e-14 * abs(total) or term == 0:
            return total
    raise ArithmeticError(f"2F1({a}, {b}; {c}; {z}) did not converge")


def fit(histories: Iterable[History], starts: Iterable[Sequence[float]] = STARTS) -> Model:
    """The parameters under which these histories are most likely. Raises ValueError for none, or if no start arrives.

    Of many histories a part decides where the search of all begins.
    """
    counted = sorted(Counter(histories).items())
    point, value = lowest(likelihood(counted[:: len(counted) // ROUGH + 1]), starts)
    if len(counted) > ROUGH and isfinite(value):
        point, value = lowest(likelihood(counted), [point])
    if not isfinite(value):
        raise ValueError("these histories are likely under no parameters that could be found")
    return Model(*map(exp, point))


def likelihood(counted: Iterable[tuple[History, int]]) -> Callable[[Sequence[float]], float]:
    """The mean negative log-likelihood as a function of the logarithms of r, alpha, a and b.

    counted: each history with how many customers have it. Raises ValueError for nobody.
    """
    grouped: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for (x, t_x, T), n in counted:
        grouped[x].append((t_x, T, n))
    groups = [(x, sum(n for _t_x, _T, n in rows), rows) for x, rows in sorted(grouped.items())]
    total = sum(n for _x, n, _rows in groups)
    if not total:
        raise ValueError("there is no history to fit")

    def lost(point: Sequence[float]) -> float:
        if max(map(abs, point)) > FARTHEST:
            return inf
        r, alpha, a, b = map(exp, point)
        shared = lgamma(a + b) - lgamma(b) - lgamma(r) + r * point[1]
        return -sum(n * shared + _group(x, n, rows, r, alpha, a, b) for x, n, rows in groups) / total

    return lost


def _group(x: int, n: int, rows: list[tuple[float, float, int]], r: float, alpha: float, a: float, b: float) -> float:
    """Log-likelihood of the histories with x repeat purchases, without what all histories share."""
    k = r + x
    head = n * (lgamma(k) + lgamma(b + x) - lgamma(a + b + x))
    if x == 0:
        return head - k * sum(m * log(alpha + T) for _t_x, T, m in rows)
    gone = a / (b + x - 1)
    found = 0.0
    for t_x, T, m in rows:
        last = log(alpha + t_x)
        found += m * (log(gone + exp(k * (last - log(alpha + T)))) - k * last)
    return head + found
