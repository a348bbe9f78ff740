"""Finding the lowest point of a function without its derivative, in plain Python."""

from collections.abc import Callable, Iterable, Sequence

Function = Callable[[Sequence[float]], float]
STEPS = 600
CLOSE = 1e-9  # how alike the values of all corners are when the search ends


def lowest(function: Function, starts: Iterable[Sequence[float]], steps: int = STEPS) -> tuple[list[float], float]:
    """The best point found from several starts, and its value. Raises ValueError without a start.

    The function may answer infinity where it cannot be worked out. The best search is begun anew where it ended, because
    a simplex can collapse before it has arrived.
    """
    found = min((nelder_mead(function, start, steps) for start in starts), key=lambda each: each[1])
    return nelder_mead(function, found[0], steps)


def nelder_mead(
    function: Function, start: Sequence[float], steps: int = STEPS, width: float = 0.5
) -> tuple[list[float], float]:
    """The simplex search of Nelder & Mead (1965) with the usual coefficients. Returns the point and its value."""
    n = len(start)
    corners = [list(start)] + [[v + (width if i == j else 0) for j, v in enumerate(start)] for i in range(n)]
    values = [function(corner) for corner in corners]
    for _ in range(steps):
        order = sorted(range(n + 1), key=values.__getitem__)
        corners, values = [corners[i] for i in order], [values[i] for i in order]
        if values[-1] - values[0] < CLOSE:
            break
        centre = [sum(corner[j] for corner in corners[:-1]) / n for j in range(n)]
        corner, value = _better(function, centre, corners[-1], values)
        if value < values[-1]:
            corners[-1], values[-1] = corner, value
        else:
            corners = [[0.5 * (v + low) for v, low in zip(each, corners[0], strict=True)] for each in corners]
            values = [values[0], *(function(each) for each in corners[1:])]
    best = min(range(n + 1), key=values.__getitem__)
    return corners[best], values[best]


def _better(
    function: Function, centre: list[float], worst: list[float], values: list[float]
) -> tuple[list[float], float]:
    """The worst corner mirrored at the centre of the others; farther if that is the best yet, nearer if it is poor."""

    def away(far: float) -> tuple[list[float], float]:
        point = [c + far * (c - w) for c, w in zip(centre, worst, strict=True)]
        return point, function(point)

    mirrored = away(1)
    if mirrored[1] < values[0]:
        farther = away(2)
        return farther if farther[1] < mirrored[1] else mirrored
    if mirrored[1] < values[-2]:
        return mirrored
    return away(0.5) if mirrored[1] < values[-1] else away(-0.5)
