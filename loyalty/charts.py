"""Charts as SVG, drawn on the server: geometry and classes, no colour. The table beside a chart says the same.

Every chart is drawn twice, for a wide and for a narrow place, so that its text is never scaled below reading size;
style sheets show one of them. Values of None leave a gap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from crm import display

Words = str | Promise
Point = tuple[float, float]

WIDE, NARROW = 720, 350
TEXT = 7.0  # mean width of a character at 13 px
DASHES = ("", "7 4", "2 4", "10 3 2 3", "4 2 1 2")  # so that lines differ without their colour
LEAST_GAP = 16  # between two labels at the end of lines
LONGEST = 26  # characters of a name beside a drawing; the table has the whole


@dataclass(frozen=True)
class Mark:
    """One SVG element. tag and the names in `at` are ours; text is escaped."""

    tag: str
    at: tuple[tuple[str, Any], ...]
    text: Words = ""

    def __html__(self) -> SafeString:
        attributes = format_html_join(
            "", ' {}="{}"', ((name.replace("_", "-"), plain(value)) for name, value in self.at)
        )
        return format_html("<{0}{1}>{2}</{0}>", self.tag, attributes, self.text)

    __str__ = __html__


def mark(tag: str, classes: str, text: Words = "", **at: Any) -> Mark:
    return Mark(tag, (("class", classes), *((name, value) for name, value in at.items() if value != "")), text)


@dataclass(frozen=True)
class Drawing:
    """top: where the drawing begins; empty room above it is cut off."""

    width: int
    height: float
    marks: list[Mark]
    top: float = 0.0

    @property
    def box(self) -> str:
        return f"0 {plain(self.top)} {self.width} {plain(self.height - self.top)}"


@dataclass(frozen=True)
class Chart:
    """keys: what the legend says: (class of the swatch, dash, word); narrow_keys the same where no label fits."""

    wide: Drawing
    narrow: Drawing
    keys: Sequence[tuple[str, str, Words]] = ()
    narrow_keys: Sequence[tuple[str, str, Words]] = ()


@dataclass(frozen=True)
class Line:
    """values: one a label, None for unknown. tone: berry iron good due bad ink. bands: its intervals, drawn pale."""

    label: Words
    values: Sequence[float | None]
    tone: str = "berry"
    bands: Sequence[tuple[float, float] | None] = ()


@dataclass(frozen=True)
class Part:
    """A layer of a stack: fill is a class such as s3, f-good, f-iron."""

    label: Words
    values: Sequence[float]
    fill: str


@dataclass(frozen=True)
class Interval:
    """A value with its interval. value None: too few answers, `words` says so. provisional: hollow and dashed."""

    label: Words
    value: float | None
    low: float | None = None
    high: float | None = None
    n: str = ""
    provisional: bool = False
    words: Words = ""


@dataclass(frozen=True)
class Axis:
    """From value to place, upwards: `top` stands for `high`."""

    low: float
    high: float
    ticks: list[float]
    top: float
    bottom: float

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)


def plain(value: Any) -> str:
    """Numbers as SVG writes them, whatever the language."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def ticks(low: float, high: float, most: int = 5, whole: bool = False) -> list[float]:
    """Round values from at most `low` to at least `high`, 1, 2 or 5 apart. whole: no fractions."""
    if high <= low:
        high = low + 1
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= raw * 0.999)
    step = max(1.0, step) if whole else step
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(at * step, 10) for at in range(first, last + 1)]


def axis(values: Sequence[float | None], top: float, bottom: float, low: float | None, whole: bool) -> Axis:
    known = [value for value in values if value is not None]
    lowest = low if low is not None else min(known, default=0)
    marks = ticks(lowest, max(known, default=lowest + 1), whole=whole)
    return Axis(marks[0], marks[-1], marks, top, bottom)


def writer(kind: str, places: int = 0) -> Callable[[float], str]:
    write = {"percent": display.percent, "signed": display.signed}.get(kind, display.number)
    return lambda value: write(value, places) or ""


def both(draw: Callable[[int], Drawing], **keys: Any) -> Chart:
    return Chart(draw(WIDE), draw(NARROW), **keys)


def short(name: Words, most: int = LONGEST) -> str:
    """A name that fits, cut with an ellipsis."""
    text = str(name)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


# Lines over months


def lines(
    labels: Sequence[str], series: Sequence[Line], *, kind: str = "number", places: int = 0, low: float | None = 0
) -> Chart:
    """Lines over equal steps of time, each named at its end (wide) or in the legend (narrow).

    kind: number, percent (shares of 0 to 1) or signed; low: where the axis begins, None for the least value.
    """
    keys = [(f"ln {line.tone}", DASHES[at % len(DASHES)], line.label) for at, line in enumerate(series)]
    return both(
        lambda width: _lines(width, labels, series, writer(kind, places), low, kind == "number" and not places),
        narrow_keys=keys,
    )


def _lines(
    width: int,
    labels: Sequence[str],
    series: Sequence[Line],
    write: Callable[[float], str],
    low: float | None,
    whole: bool,
) -> Drawing:
    wide, height = width == WIDE, 300 if width == WIDE else 240
    values = [value for line in series for value in line.values]
    values += [end for line in series for band in line.bands if band for end in band]
    room = max((len(short(line.label)) for line in series), default=0) * TEXT + 18 if wide else 24
    up = axis(values, 12, height - 26, low, whole)
    left, xs = _frame(up, write, width - room, len(labels))
    marks = [*_grid(up, write, left, width - room), *_months(labels, xs, height - 8)]
    ends: list[tuple[float, Line]] = []
    for at, line in enumerate(series):
        marks += _line(line, DASHES[at % len(DASHES)], xs, up)
        last = next((value for value in reversed(line.values) if value is not None), None)
        if last is not None:
            ends.append((up.y(last), line))
    if wide:
        marks += _end_labels(ends, xs[-1] if xs else left)
    return Drawing(width, height, marks)


def _line(line: Line, dash: str, xs: Sequence[float], up: Axis) -> list[Mark]:
    marks = []
    for run in runs(line.bands):
        edge = [(xs[at], up.y(line.bands[at][1])) for at in run]  # type: ignore[index]
        edge += [(xs[at], up.y(line.bands[at][0])) for at in reversed(run)]  # type: ignore[index]
        marks.append(mark("path", f"band-{line.tone}", d=path(edge) + "Z"))
    for run in runs(line.values):
        points = [(xs[at], up.y(line.values[at] or 0)) for at in run]
        if len(points) > 1:
            marks.append(mark("path", f"ln {line.tone}", d=path(points), stroke_dasharray=dash))
        else:
            marks.append(mark("circle", f"dot {line.tone}", cx=points[0][0], cy=points[0][1], r=2.5))
    known = [at for at, value in enumerate(line.values) if value is not None]
    if known:
        marks.append(mark("circle", f"dot {line.tone}", cx=xs[known[-1]], cy=up.y(line.values[known[-1]] or 0), r=4))
    return marks


def _end_labels(ends: Sequence[tuple[float, Line]], x: float) -> list[Mark]:
    placed = spread([y for y, _line in ends], LEAST_GAP)
    return [
        mark("text", "t-bold", short(line.label), x=x + 10, y=y + 4.5)
        for (_at, line), y in zip(ends, placed, strict=True)
    ]


# Stacks over months


def columns(labels: Sequence[str], parts: Sequence[Part], *, share: bool = False) -> Chart:
    """Stacked columns, one a label, the first part at the foot. share: each column is 100 %."""
    keys = [(part.fill, "", part.label) for part in reversed(parts)]
    return both(lambda width: _columns(width, labels, parts, share), keys=keys, narrow_keys=keys)


def _columns(width: int, labels: Sequence[str], parts: Sequence[Part], share: bool) -> Drawing:
    height = 300 if width == WIDE else 240
    sums = [sum(part.values[at] for part in parts) for at in range(len(labels))]
    write = writer("percent" if share else "number")
    up = Axis(0, 1, [0, 0.25, 0.5, 0.75, 1], 12, height - 26) if share else axis(sums, 12, height - 26, 0, True)
    left, xs = _frame(up, write, width - 16, len(labels), columns=True)
    step = xs[1] - xs[0] if len(xs) > 1 else min(80.0, width - left)
    marks = [*_grid(up, write, left, width - 16), *_months(labels, xs, height - 8)]
    for at, whole in enumerate(sums):
        foot = 0.0
        for part in parts:
            top = foot + (part.values[at] / whole if share and whole else 0 if share else part.values[at])
            if top > foot:
                place = up.y(top)
                marks.append(mark("rect", f"{part.fill} edge", x=xs[at] - step * 0.38, y=place, width=step * 0.76,
                                  height=up.y(foot) - place))  # fmt: skip
            foot = top
    return Drawing(width, height, [*marks, mark("path", "l-axis", d=f"M{plain(left)},{plain(up.bottom)}H{width - 16}")])


def areas(labels: Sequence[str], parts: Sequence[Part]) -> Chart:
    """Stacked areas over months, the first part at the foot, each named at its end (wide) or in the legend (narrow)."""
    keys = [(part.fill, "", part.label) for part in reversed(parts)]
    return both(lambda width: _areas(width, labels, parts), narrow_keys=keys)


def _areas(width: int, labels: Sequence[str], parts: Sequence[Part]) -> Drawing:
    if len(labels) < 2:
        return _columns(width, labels, parts, share=False)
    wide, height, write = width == WIDE, 320 if width == WIDE else 250, writer("number")
    sums = [sum(part.values[at] for part in parts) for at in range(len(labels))]
    named = [f"{short(part.label)} {write(part.values[-1])}" for part in parts]
    room = max(map(len, named)) * TEXT + 18 if wide else 24
    up = axis(sums, 12, height - 26, 0, True)
    left, xs = _frame(up, write, width - room, len(labels))
    marks, foot, middles = [*_grid(up, write, left, width - room)], [0.0] * len(labels), []
    for part in parts:
        top = [low + value for low, value in zip(foot, part.values, strict=True)]
        edge = [(x, up.y(value)) for x, value in zip(xs, top, strict=True)]
        edge += [(x, up.y(value)) for x, value in reversed(list(zip(xs, foot, strict=True)))]
        marks.append(mark("path", f"{part.fill} edge", d=path(edge) + "Z"))
        middles.append(up.y((foot[-1] + top[-1]) / 2))
        foot = top
    marks += _months(labels, xs, height - 8)
    if wide:
        for part, middle, y in zip(parts, middles, spread(middles, LEAST_GAP, up.bottom), strict=True):
            marks.append(mark("path", "l-axis", d=path([(xs[-1] + 2, middle), (xs[-1] + 9, y)])))
            marks.append(mark("text", "t-bold", short(part.label), x=xs[-1] + 13, y=y + 4.5))
            marks.append(mark("text", "t-end", write(part.values[-1]), x=width, y=y + 4.5))
    return Drawing(width, height, marks)


# Horizontal bars: how each of several wholes divides


def bars(rows: Sequence[tuple[Words, Sequence[float]]], parts: Sequence[tuple[Words, str]]) -> Chart:
    """One bar of 100 % a row. rows: (name, value of each part); parts: (name, fill) in the order of the values."""
    keys = [(fill, "", name) for name, fill in parts]
    return both(lambda width: _bars(width, rows, [fill for _name, fill in parts]), keys=keys, narrow_keys=keys)


def _bars(width: int, rows: Sequence[tuple[Words, Sequence[float]]], fills: Sequence[str]) -> Drawing:
    wide = width == WIDE
    left = max((len(short(name)) for name, _values in rows), default=0) * TEXT + 12 if wide else 0
    pitch, high, drop = (34, 22, 0) if wide else (52, 20, 20)
    marks = []
    for at, (name, values) in enumerate(rows):
        y, whole, x = pitch * at + drop, sum(values), float(left)
        marks.append(mark("text", "t-bold", short(name), x=0, y=y + 15.5 if wide else y - 5))
        if not whole:
            marks.append(mark("rect", "f-none", x=left, y=y, width=width - left, height=high))
        for value, fill in zip(values, fills, strict=True):
            share = (width - left) * value / whole if whole else 0.0
            if share:
                marks.append(mark("rect", f"{fill} edge", x=x, y=y, width=share, height=high))
            x += share
    return Drawing(width, max(1, pitch * len(rows)) + drop, marks)


# Intervals: a dot with whiskers


def intervals(
    rows: Sequence[Interval],
    *,
    kind: str = "signed",
    places: int = 1,
    low: float | None = None,
    high: float | None = None,
    reference: tuple[float, float, Words] | None = None,
) -> Chart:
    """One row a group: a dot and its interval. reference: (low, high, word) of the whole shop, a grey band behind."""
    return both(lambda width: _intervals(width, rows, writer(kind, places), writer(kind), low, high, reference))


def _intervals(
    width: int,
    rows: Sequence[Interval],
    write: Callable[[float], str],
    tick: Callable[[float], str],
    low: float | None,
    high: float | None,
    reference: tuple[float, float, Words] | None,
) -> Drawing:
    wide = width == WIDE
    known = [end for row in rows for end in (row.low, row.high, row.value) if end is not None]
    known += [reference[0], reference[1]] if reference else []
    least, most = low if low is not None else min(known, default=0), high if high is not None else max(known, default=1)
    marks_at = ticks(least, most, 6 if wide else 4)
    names = max((len(short(row.label)) for row in rows), default=0) * TEXT if wide else 0
    left, right = names + 14 if wide else 18.0, width - 150 if wide else width - 18.0
    pitch, head, first = (36, 8, 24) if wide else (58, 8, 34)
    bottom = head + pitch * len(rows) + 8
    across = Axis(marks_at[0], marks_at[-1], marks_at, right, left)  # its `y` runs from left to right

    marks = []
    if reference:
        start, end = across.y(reference[0]), across.y(reference[1])
        marks.append(mark("rect", "f-iron-soft", x=start, y=head, width=max(2.0, end - start), height=bottom - head))
    for value in marks_at:
        x = across.y(value)
        marks.append(mark("path", "l-axis" if value == 0 else "l-grid", d=path([(x, head), (x, bottom)])))
        marks.append(mark("text", "t-small t-soft t-middle", tick(value), x=x, y=bottom + 17))
    for at, row in enumerate(rows):
        marks += _interval(row, head + first + pitch * at, across, write, width, wide)
    return Drawing(width, bottom + 24, marks)


def _interval(
    row: Interval, y: float, across: Axis, write: Callable[[float], str], width: int, wide: bool
) -> list[Mark]:
    name_y = y + 4.5 if wide else y - 12
    marks = [mark("text", "t-bold", short(row.label), x=0, y=name_y)]
    if row.value is None:
        marks.append(mark("text", "t-soft", row.words, x=across.y(across.low) + 4, y=y + 4.5))
    else:
        if row.low is not None and row.high is not None:
            a, b = across.y(max(across.low, row.low)), across.y(min(across.high, row.high))
            ends = f"M{plain(a)},{plain(y)}H{plain(b)}M{plain(a)},{plain(y - 5)}v10M{plain(b)},{plain(y - 5)}v10"
            marks.append(mark("path", "ln berry", d=ends, stroke_dasharray="4 3" if row.provisional else ""))
        marks.append(
            mark("circle", "dot hollow" if row.provisional else "dot berry", cx=across.y(row.value), cy=y, r=5.5)
        )
        marks.append(mark("text", "t-bold t-end", write(row.value), x=width - 84 if wide else width, y=name_y))
    if row.n:
        marks.append(mark("text", "t-small t-soft t-end", row.n, x=width if wide else width - 62, y=name_y))
    return marks


# Stairs with arcs: who rose and who fell


def stairs(steps: Sequence[tuple[Words, int, str]], moves: Sequence[tuple[int, int, int]]) -> Chart:
    """A staircase of stages with arcs: up above in berry, down below in iron, as wide as their people are many.

    steps: (name, people, fill) from the lowest; moves: (from, to, people) by the places of the steps, from 0. Moves over
    several steps arch higher. All are drawn; numbers stand on those with people to spare (the table has each).
    """
    keys = [("ln berry", "", _("rose to a higher stage (above)")), ("ln iron", "", _("fell to a lower stage (below)"))]
    named = [(fill, "", f"{at} {name}") for at, (name, _people, fill) in enumerate(steps, 1)]
    return both(lambda width: _stairs(width, steps, moves), keys=keys, narrow_keys=[*named, *keys])


def _stairs(width: int, steps: Sequence[tuple[Words, int, str]], moves: Sequence[tuple[int, int, int]]) -> Drawing:
    wide, pitch = width == WIDE, width / max(1, len(steps))
    rise, first, floor_y = (30, 36, 330) if wide else (26, 32, 290)
    tops = [float(floor_y - first - rise * at) for at in range(len(steps))]
    most = max((people for _from, _to, people in moves), default=1) or 1
    marks = []
    for at, (name, people, fill) in enumerate(steps):
        x = pitch * at
        marks.append(mark("rect", fill, x=x + 2, y=tops[at], width=pitch - 4, height=floor_y - tops[at], rx=3))
        on = f"t-bold t-middle on-{fill}"
        marks.append(mark("text", on, display.number(people) or "", x=x + pitch / 2, y=tops[at] + 22))
        if wide:
            marks.append(
                mark("text", "t-soft t-middle", short(name, int(pitch / TEXT)), x=x + pitch / 2, y=floor_y + 18)
            )
        else:
            marks.append(mark("text", "t-soft t-middle", str(at + 1), x=x + pitch / 2, y=floor_y + 17))
    base = floor_y + (30 if wide else 28)
    drawn = sorted((move for move in moves if move[2]), key=lambda move: -move[2])
    numbers: list[Mark] = []
    taken: list[Point] = []
    labels: list[Point] = []
    for start, end, people in drawn:
        arc, label = _arc(start, end, people, most, pitch, tops, base)
        marks += arc
        labels.append(label)
        words = ("+" if end > start else display.MINUS) + (display.number(people) or "")
        if all(abs(label[0] - x) > len(words) * TEXT + 6 or abs(label[1] - y) > 15 for x, y in taken):
            taken.append(label)
            tone = "t-berry" if end > start else "t-iron"
            numbers.append(mark("text", f"t-bold t-middle halo {tone}", words, x=label[0], y=label[1]))
    lowest = base + max((16 + 15 * (start - end) for start, end, _n in drawn if end < start), default=0) + 22
    highest = min([y for _x, y in labels if y < base] + tops[-1:], default=0) - 18
    return Drawing(width, max(lowest, base + 8), marks + numbers, highest)


def _arc(
    start: int, end: int, people: int, most: int, pitch: float, tops: Sequence[float], base: float
) -> tuple[list[Mark], Point]:
    """The arc with its head, and where its number stands."""
    thick = 1.5 + min(20.0, pitch * 0.28) * people / most
    up, far = end > start, abs(end - start)
    x0 = pitch * start + pitch * (0.62 if up else 0.38)
    x1 = pitch * end + pitch * (0.3 if up else 0.7)
    half = thick / 2 + 4
    if up:
        y0, y1 = tops[start] - 3, tops[end] - 11
        peak = min(y0, y1) - 26 - 17 * (far - 1)
        middle: Point = ((x0 + x1) / 2, peak + (min(y0, y1) - peak) * 0.2 - thick / 2 - 3)
        head = f"M{plain(x1 - half)},{plain(y1)}h{plain(2 * half)}L{plain(x1)},{plain(y1 + 9)}Z"
        control = peak - (min(y0, y1) - peak) / 3 * 0.2
    else:
        y0, y1 = base, base + 9
        control = base + 26 + 19 * (far - 1)
        middle = ((x0 + x1) / 2, base + (control - base) * 0.75 + thick / 2 + 14)
        head = f"M{plain(x1 - half)},{plain(y1)}h{plain(2 * half)}L{plain(x1)},{plain(y1 - 9)}Z"
    curve = (
        f"M{plain(x0)},{plain(y0)}C{plain(x0)},{plain(control)} {plain(x1)},{plain(control)} {plain(x1)},{plain(y1)}"
    )
    tone = "berry" if up else "iron"
    return [mark("path", f"arc {tone}", d=curve, stroke_width=thick), mark("path", f"f-{tone}", d=head)], middle


# Frame


def _frame(
    up: Axis, write: Callable[[float], str], right: float, count: int, columns: bool = False
) -> tuple[float, list[float]]:
    """Where the drawing begins after the numbers of the axis, and the place of each label."""
    left = max(len(write(value)) for value in up.ticks) * TEXT + 10
    if columns:
        step = min(80.0, (right - left) / max(1, count))
        return left, [left + step * (at + 0.5) for at in range(count)]
    left += 8
    step = (right - left) / max(1, count - 1)
    return left, [left + step * at for at in range(count)]


def _grid(up: Axis, write: Callable[[float], str], left: float, right: float) -> list[Mark]:
    marks = []
    for value in up.ticks:
        y = up.y(value)
        marks.append(mark("path", "l-axis" if value == 0 else "l-grid", d=f"M{plain(left)},{plain(y)}H{plain(right)}"))
        marks.append(mark("text", "t-small t-soft t-end", write(value), x=left - 6, y=y + 4))
    return marks


def _months(labels: Sequence[str], xs: Sequence[float], y: float) -> list[Mark]:
    """As many labels as fit, the last one always."""
    widest = max(map(len, labels), default=1) * TEXT + 10
    step = xs[1] - xs[0] if len(xs) > 1 else widest
    every = max(1, ceil(widest / step)) if step else 1
    last = len(labels) - 1
    return [
        mark("text", "t-small t-soft t-middle", label, x=x, y=y)
        for at, (label, x) in enumerate(zip(labels, xs, strict=True))
        if (last - at) % every == 0
    ]


def path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{plain(float(x))},{plain(float(y))}" for x, y in points)


def runs(values: Sequence[Any]) -> list[list[int]]:
    """Places of neighbours that are known."""
    found: list[list[int]] = []
    for at, value in enumerate(values):
        if value is None:
            continue
        if found and found[-1][-1] == at - 1:
            found[-1].append(at)
        else:
            found.append([at])
    return found


def spread(places: Sequence[float], gap: float, lowest: float = 1e9) -> list[float]:
    """Places at least `gap` apart, in their order, moved as little as needed and none below `lowest`."""
    order = sorted(range(len(places)), key=lambda at: places[at], reverse=True)
    moved, limit = list(places), lowest
    for at in order:
        moved[at] = min(places[at], limit)
        limit = moved[at] - gap
    return moved
