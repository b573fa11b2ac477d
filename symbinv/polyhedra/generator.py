"""Generators of cells: integer homogeneous points and rays, computed when first asked for.

A generator that a hyperplane makes on an edge is known by the ends of the edge and the hyperplane. Many are cut
away again, or lie in cells that are closed, before anyone asks for their coordinates.
"""

from math import gcd

from symbinv.exact.integer import Row, dot


class Generator:
    """A point (v_0 > 0) or a ray (v_0 = 0) in homogeneous integers without common factors.

    Attributes:
        edge: While the integers are not computed: the end above the hyperplane, the end below, and its form.
        is_point: Whether v_0 > 0.

    Example:
        >>> a, b = Generator((1, 0)), Generator((1, 3))
        >>> meeting = Generator.on_edge(b, a, (-1, 1))
        >>> meeting.row, meeting.is_point
        ((1, 1), True)
    """

    __slots__ = ("_row", "edge", "is_point")

    def __init__(self, row: Row) -> None:
        self._row: Row | None = row
        self.edge: tuple[Generator, Generator, Row] | None = None
        self.is_point = row[0] != 0

    @classmethod
    def on_edge(cls, above: "Generator", below: "Generator", form: Row) -> "Generator":
        """Return where a hyperplane meets an edge; the form is positive above and negative below."""
        made = cls.__new__(cls)
        made._row, made.edge = None, (above, below, form)
        made.is_point = above.is_point or below.is_point
        return made

    @property
    def row(self) -> Row:
        """The integers."""
        if self._row is None:
            self._resolve()
        assert self._row is not None
        return self._row

    def _resolve(self) -> None:
        """Compute the integers, those of the ends first; without recursion, since chains of edges may be long."""
        waiting = [self]
        while waiting:
            made = waiting[-1]
            if made.edge is None:
                waiting.pop()
                continue
            above, below, form = made.edge
            v, w = above._row, below._row
            if v is None or w is None:
                waiting += [end for end in (above, below) if end._row is None]
                continue
            hv, hw = dot(form, v), -dot(form, w)
            raw = [a * hw + b * hv for a, b in zip(v, w, strict=True)]
            common = gcd(*raw)
            made._row = tuple(raw) if common == 1 else tuple([e // common for e in raw])
            made.edge = None
            waiting.pop()

    def __reduce__(self) -> tuple[type["Generator"], tuple[Row]]:
        return Generator, (self.row,)
