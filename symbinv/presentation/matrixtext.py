"""Matrices, columns and augmented matrices to LaTeX, cut down with dots to a size and to the width of a line."""

from collections.abc import Iterable, Sequence

import sympy

from symbinv.exact.matrix import ExactMatrix
from symbinv.presentation.mathtext import Printer, width


def column_latex(entries: Sequence[sympy.Expr], printer: Printer, size: int) -> str:
    """Return a column vector, cut down with dots to `size` rows."""
    shown = indices_shown(len(entries), size)
    cells = [r"\vdots" if i is None else printer.doprint(entries[i]) for i in shown]
    return r"\begin{pmatrix} " + r" \\ ".join(cells) + r" \end{pmatrix}"


def matrix_latex(matrix: ExactMatrix, printer: Printer, size: int, room: float) -> str:
    """Return a matrix in parentheses, cut down with dots to `size` rows and columns and to the room there is."""
    cells, columns = _cells(matrix, printer, size, room)
    body = " \\\\\n".join(" & ".join(row) for row in cells)
    return rf"\left(\begin{{array}}{{{'c' * columns}}} {body} \end{{array}}\right)"


def augmented_latex(matrix: ExactMatrix, sides: Sequence[str], printer: Printer, size: int, room: float) -> str:
    """Return [matrix | sides] with its bar."""
    shown = indices_shown(matrix.rows, size)
    right = [r"\vdots" if i is None else sides[i] for i in shown]
    cells, columns = _cells(matrix, printer, size, room - max(map(width, right), default=0))
    body = " \\\\\n".join(" & ".join([*row, side]) for row, side in zip(cells, right, strict=True))
    return rf"\left[\begin{{array}}{{{'c' * columns}|c}} {body} \end{{array}}\right]"


def indices_shown(count: int, limit: int) -> list[int | None]:
    """Return the indices to show: all, or the first ones, dots (None) and the last.

    Example:
        >>> indices_shown(3, 4), indices_shown(9, 4)
        ([0, 1, 2], [0, 1, None, 8])
    """
    if count <= limit:
        return list(range(count))
    return [*range(max(limit - 2, 1)), None, count - 1]


def _cells(matrix: ExactMatrix, printer: Printer, size: int, room: float) -> tuple[list[list[str]], int]:
    rows = indices_shown(matrix.rows, size)
    columns = indices_shown(matrix.columns, min(size, _columns_that_fit(matrix, rows, printer, room)))
    cells = []
    for i in rows:
        if i is None:
            cells.append([r"\ddots" if j is None else r"\vdots" for j in columns])
        else:
            cells.append([r"\cdots" if j is None else printer.doprint(matrix[i, j]) for j in columns])
    return cells, len(columns)


def agree_on_decimals(entries: Iterable[sympy.Expr], printer: Printer) -> None:
    """Let a printer show all numbers as decimals, where that is exact, if it has to show one so."""
    trial = Printer(fractions=printer.fractions)
    printer.decimals = printer.decimals or any("." in trial.doprint(e) for e in entries if e.is_Rational)


def _cell_width(cell: str) -> float:
    return width(cell) * (0.75 if r"\frac" in cell else 1.0)


def _columns_that_fit(matrix: ExactMatrix, rows: Sequence[int | None], printer: Printer, room: float) -> int:
    sample = [i for i in rows if i is not None]
    widths = []
    for j in range(min(matrix.columns, 40)):
        widths.append(max((_cell_width(printer.doprint(matrix[i, j])) for i in sample), default=1) + 2.1)
    if sum(widths) <= room and len(widths) == matrix.columns:
        return matrix.columns
    total = 4.0  # the dots, and the last column in the place of one of the first
    for count, w in enumerate(widths):
        total += w
        if total > room:
            return max(count - 1, 2)
    return max(matrix.columns, 1) if len(widths) == matrix.columns else len(widths)
