"""ExactMatrix: the one matrix type of the library, over the rationals or over symbols.

A matrix holds one of five forms and converts on demand:

* doubles, which are exact rationals already (a network read from a file stays in this form, so that
  `to_numpy` costs nothing and no object per weight exists until one is asked for);
* FLINT's `fmpq_mat`, in which all exact arithmetic is done;
* integers over one denominator, as FLINT's reduced forms come, put in lowest terms when an entry is asked for;
* its non-zero entries alone (`SparseForm`), for convolutions, pools and reshapes;
* SymPy expressions, where an entry is not a rational number.

Rows are cleared of denominators and reduced over the integers (`fmpz_mat.rref`), which SymPy's `rref` does not
reach even with FLINT beneath it (measured by benchmarks/elimination.py).
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Self

import numpy as np
import sympy
from flint import fmpq_mat, fmpz, fmpz_mat
from numpy.typing import NDArray

from symbinv.errors import InexactError, ShapeError
from symbinv.exact.entries import (
    integer_rows,
    leading_columns,
    nearest_double,
    rank_of_integers,
    symbolic_entry,
    to_fmpq,
)
from symbinv.exact.policy import Policy, check_policy, to_fraction
from symbinv.exact.sparse import SparseForm

Entry = int | Fraction | sympy.Expr


class ExactMatrix:
    """An immutable matrix with exact entries.

    Args:
        rows: The entries, row by row: numbers of any kind that `to_fraction` takes, or SymPy
            expressions; a NumPy array or a SymPy matrix serves too.
        policy: What a float entry stands for.

    Raises:
        ShapeError: Where the rows differ in length.
        InexactError: For NaN, infinities and entries that are no numbers.

    Example:
        >>> m = ExactMatrix([["1/2", 2], [3, 4]])
        >>> m.shape, m[0, 0], (m @ m)[0, 1]
        ((2, 2), 1/2, 9)
    """

    __slots__ = ("_doubles", "_quotient", "_rational", "_sparse", "_symbolic", "shape")

    shape: tuple[int, int]
    _doubles: NDArray[np.float64] | None
    _rational: fmpq_mat | None
    _quotient: tuple[fmpz_mat, fmpz] | None
    _sparse: SparseForm | None
    _symbolic: sympy.ImmutableDenseMatrix | None

    def __init__(self, rows: Any, policy: Policy = "exact") -> None:
        check_policy(policy)
        if isinstance(rows, np.ndarray) and rows.dtype.kind == "f" and policy == "exact":
            self._take_doubles(rows)
            return
        if isinstance(rows, sympy.MatrixBase):
            rows = rows.tolist()
        table = [list(row) for row in rows]
        width = len(table[0]) if table else 0
        if any(len(row) != width for row in table):
            raise ShapeError(f"all rows must have the same length, not {sorted({len(r) for r in table})}.")
        if any(isinstance(e, sympy.Expr) and not e.is_Rational and not e.is_Float for row in table for e in row):
            entries = [[symbolic_entry(e, policy) for e in row] for row in table]
            self._set(
                (len(table), width),
                symbolic=sympy.ImmutableDenseMatrix(len(table), width, [e for row in entries for e in row]),
            )
        else:
            flat = [to_fmpq(to_fraction(e, policy)) for row in table for e in row]
            self._set((len(table), width), rational=fmpq_mat(len(table), width, flat))

    def _take_doubles(self, array: NDArray[Any]) -> None:
        if array.ndim != 2:
            raise ShapeError(f"a matrix must have two axes, not {array.ndim}.")
        doubles = array.astype(np.float64)
        if array.dtype.itemsize > 8:
            raise InexactError(f"floats must be at most 64 bits wide, not {array.dtype}.")
        if not np.isfinite(doubles).all():
            raise InexactError("numbers must be finite; replace NaN and infinite values first.")
        doubles.setflags(write=False)
        self._set(doubles.shape, doubles=doubles)

    def _set(
        self,
        shape: tuple[int, ...],
        doubles: NDArray[np.float64] | None = None,
        rational: fmpq_mat | None = None,
        symbolic: sympy.ImmutableDenseMatrix | None = None,
        sparse: SparseForm | None = None,
    ) -> None:
        self.shape = (shape[0], shape[1])
        self._doubles, self._rational, self._symbolic, self._sparse = doubles, rational, symbolic, sparse
        self._quotient = None

    # -- construction -----------------------------------------------------------------------------

    @classmethod
    def from_flint(cls, rational: fmpq_mat) -> Self:
        """Wrap an fmpq_mat; for code inside `exact/`."""
        result = cls.__new__(cls)
        result._set((rational.nrows(), rational.ncols()), rational=rational)
        return result

    @classmethod
    def from_quotient(cls, numerators: fmpz_mat, denominator: fmpz) -> Self:
        """Wrap integers over one denominator; for code inside `exact/`."""
        result = cls.__new__(cls)
        result._set((numerators.nrows(), numerators.ncols()))
        result._quotient = (numerators, denominator)
        return result

    @classmethod
    def from_entries(cls, shape: tuple[int, int], rows: Any, columns: Any, values: Any) -> Self:
        """Return a sparse matrix with values[k] at (rows[k], columns[k]); entries at one place are added.

        Args:
            shape: The numbers of rows and columns.
            rows, columns: The places, sequences of integers.
            values: An array of floats, which are taken exactly, or a sequence of Fractions.

        Example:
            >>> m = ExactMatrix.from_entries((2, 3), [0, 1], [2, 0], np.array([0.5, 3.0]))
            >>> m.to_sympy(), m.nonzeros
            (Matrix([
            [0, 0, 1/2],
            [3, 0,   0]]), 2)
        """
        return cls._from_sparse(SparseForm.build(shape, rows, columns, values))

    @classmethod
    def _from_sparse(cls, sparse: SparseForm) -> Self:
        result = cls.__new__(cls)
        result._set(sparse.shape, sparse=sparse)
        return result

    @classmethod
    def column(cls, entries: Iterable[Any], policy: Policy = "exact") -> Self:
        """Return a one-column matrix."""
        if isinstance(entries, np.ndarray):
            return cls(entries.reshape(-1, 1), policy)
        return cls([[e] for e in entries], policy)

    @classmethod
    def identity(cls, size: int) -> Self:
        """Return the identity of the given size."""
        return cls.from_flint(fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)]))

    @classmethod
    def zeros(cls, rows: int, columns: int) -> Self:
        """Return a matrix of zeros."""
        return cls.from_flint(fmpq_mat(rows, columns))

    @classmethod
    def build(cls, rows: int, columns: int, entry: Callable[[int, int], Any]) -> Self:
        """Return the matrix whose entry in row i and column j is `entry(i, j)`."""
        if rows and columns:
            return cls([[entry(i, j) for j in range(columns)] for i in range(rows)])
        return cls.zeros(rows, columns)

    # -- reading ----------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.shape[0]

    @property
    def columns(self) -> int:
        """The number of columns."""
        return self.shape[1]

    @property
    def is_rational(self) -> bool:
        """Whether every entry is a rational number."""
        return self._symbolic is None

    @property
    def is_sparse(self) -> bool:
        """Whether only the non-zero entries are held."""
        return self._sparse is not None

    @property
    def nonzeros(self) -> int:
        """The number of entries that are held: the non-zero ones of a sparse matrix, else all."""
        return len(self._sparse.places) if self._sparse is not None else self.rows * self.columns

    def dense(self) -> "ExactMatrix":
        """Return the same matrix with all entries held."""
        if self._sparse is None:
            return self
        return ExactMatrix.from_flint(self.flint) if self._sparse.doubles is None else ExactMatrix(self.to_numpy())

    @property
    def has_one_entry_per_row(self) -> bool:
        """Whether the matrix is sparse and no row has two entries: it only moves, drops and scales."""
        return self._sparse is not None and len(np.unique(self._sparse.rows)) == len(self._sparse.places)

    def product_terms(self, other: "ExactMatrix") -> int:
        """Return the number of multiplications that self @ other takes."""
        if self._sparse is not None and other._sparse is not None:
            return self._sparse.terms(other._sparse)
        if other._sparse is not None:
            return self.rows * other.nonzeros
        return self.nonzeros * other.columns

    @property
    def flint(self) -> fmpq_mat:
        """The matrix as FLINT holds it; for code inside `exact/`."""
        if self._rational is None and self._quotient is not None:
            self._rational = fmpq_mat(self._quotient[0]) / self._quotient[1]
        if self._rational is None and self._sparse is not None:
            self._rational = self._sparse.to_flint()
        if self._rational is None:
            if self._doubles is None:
                raise InexactError("a matrix of rational numbers is needed, not one with symbols.")
            flat = [to_fmpq(v) for v in self._doubles.ravel().tolist()]
            self._rational = fmpq_mat(self.rows, self.columns, flat)
        return self._rational

    def __getitem__(self, position: tuple[int, int]) -> sympy.Expr:
        if self._symbolic is not None:
            return self._symbolic[position]
        value = self.fraction(*position)
        return sympy.Rational(value.numerator, value.denominator)

    def fraction(self, row: int, column: int) -> Fraction:
        """Return one rational entry as a Fraction."""
        if self._rational is None and self._doubles is not None:
            return Fraction(*float(self._doubles[row, column]).as_integer_ratio())
        if self._sparse is not None:
            return self._sparse.entry(row, column)
        value = self.flint[row, column]
        return Fraction(int(value.p), int(value.q))

    def fractions(self) -> list[list[Fraction]]:
        """Return all entries, row by row, as Fractions."""
        return [[self.fraction(i, j) for j in range(self.columns)] for i in range(self.rows)]

    def to_sympy(self) -> sympy.ImmutableDenseMatrix:
        """Return the matrix as SymPy's."""
        if self._symbolic is not None:
            return self._symbolic
        flat = [self[i, j] for i in range(self.rows) for j in range(self.columns)]
        return sympy.ImmutableDenseMatrix(self.rows, self.columns, flat)

    def to_numpy(self) -> NDArray[np.float64]:
        """Return the entries rounded once, each to the nearest double, shape (rows, columns)."""
        if self._doubles is not None:
            return self._doubles
        if self._sparse is not None:
            return self._sparse.to_numpy()
        flat = [nearest_double(v) for v in self.flint.entries()]
        return np.array(flat, dtype=np.float64).reshape(self.shape)

    def times_floats(self, x: NDArray[np.float64], *, absolute: bool = False) -> NDArray[np.float64]:
        """Return x @ self.T in doubles, for x of shape (k, columns); a sparse matrix is not made dense.

        Args:
            x: Rows to multiply.
            absolute: Take the absolute values of the entries of the matrix.
        """
        if self._sparse is None:
            dense = self.to_numpy()
            return np.asarray(x @ (np.abs(dense) if absolute else dense).T)
        return self._sparse.times_floats(x, absolute=absolute)

    def free_symbols(self) -> frozenset[sympy.Symbol]:
        """Return the symbols that occur in the entries."""
        return frozenset() if self._symbolic is None else frozenset(self._symbolic.free_symbols)

    def is_zero(self) -> bool:
        """Tell whether every entry is the number zero."""
        if self._symbolic is not None:
            return all(e == 0 for e in self._symbolic)
        return self._rational_is_zero()

    def _rational_is_zero(self) -> bool:
        if self._doubles is not None:
            return not self._doubles.any()
        if self._sparse is not None:
            return self._sparse.places.size == 0
        return not any(self.flint.entries())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ExactMatrix) or self.shape != other.shape:
            return NotImplemented if not isinstance(other, ExactMatrix) else False
        if self._symbolic is not None or other._symbolic is not None:
            return bool(self.to_sympy() == other.to_sympy())
        if self._doubles is not None and other._doubles is not None:
            return bool((self._doubles == other._doubles).all())
        if self._sparse is not None and other._sparse is not None:
            return self._sparse.equals(other._sparse)
        return bool(self.flint == other.flint)

    __hash__ = None  # type: ignore[assignment]  # equal matrices may be held in different forms

    def __repr__(self) -> str:
        kind = "rational" if self.is_rational else "symbolic"
        return f"ExactMatrix({self.rows}x{self.columns}, {kind})"

    # -- arithmetic -------------------------------------------------------------------------------

    def __matmul__(self, other: "ExactMatrix") -> "ExactMatrix":
        if self.columns != other.rows:
            raise ShapeError(f"factors must fit, not {self.rows}x{self.columns} and {other.rows}x{other.columns}.")
        if self.is_rational and other.is_rational:
            product = self._sparse_product(other)
            return ExactMatrix.from_flint(self.flint * other.flint) if product is None else product
        return ExactMatrix(self.to_sympy() * other.to_sympy())

    def _sparse_product(self, other: "ExactMatrix") -> "ExactMatrix | None":
        if self._sparse is not None and other._sparse is not None:
            return ExactMatrix._from_sparse(self._sparse.times(other._sparse))
        if self._sparse is not None:
            return ExactMatrix.from_flint(self._sparse.times_dense(other.flint))
        if other._sparse is None:
            return None
        if self._doubles is not None and (moved := other._sparse.moved_columns(self._doubles)) is not None:
            return ExactMatrix(moved)
        return ExactMatrix.from_flint(other._sparse.transposed().times_dense(self.flint.transpose()).transpose())

    def __add__(self, other: "ExactMatrix") -> "ExactMatrix":
        self._same_shape(other)
        if self._sparse is not None and other._sparse is not None:
            return ExactMatrix._from_sparse(self._sparse.plus(other._sparse))
        if self.is_rational and other.is_rational:
            return ExactMatrix.from_flint(self.flint + other.flint)
        return ExactMatrix(self.to_sympy() + other.to_sympy())

    def __sub__(self, other: "ExactMatrix") -> "ExactMatrix":
        return self + -other

    def __neg__(self) -> "ExactMatrix":
        return self.scaled(Fraction(-1))

    def scaled(self, factor: Fraction) -> "ExactMatrix":
        """Return the matrix times a rational number."""
        if self._sparse is not None:
            return ExactMatrix._from_sparse(self._sparse.scaled(to_fmpq(factor)))
        if self.is_rational:
            return ExactMatrix.from_flint(self.flint * to_fmpq(factor))
        return ExactMatrix(self.to_sympy() * sympy.Rational(factor.numerator, factor.denominator))

    def _same_shape(self, other: "ExactMatrix") -> None:
        if self.shape != other.shape:
            raise ShapeError(f"both matrices must have the same shape, not {self.shape} and {other.shape}.")

    @property
    def T(self) -> "ExactMatrix":
        """The transpose."""
        if self._symbolic is not None:
            return ExactMatrix(self._symbolic.T)
        if self._sparse is not None:
            return ExactMatrix._from_sparse(self._sparse.transposed())
        return ExactMatrix.from_flint(self.flint.transpose())

    def select(self, rows: Sequence[int] | None = None, columns: Sequence[int] | None = None) -> "ExactMatrix":
        """Return the sub-matrix of the given rows and columns, in the given order (None: all)."""
        i = range(self.rows) if rows is None else rows
        j = range(self.columns) if columns is None else columns
        if self._sparse is not None:
            return ExactMatrix._from_sparse(self._sparse.select(i, j))
        if self._doubles is not None and len(i) and len(j):
            return ExactMatrix(self._doubles[np.ix_(list(i), list(j))])
        if self._symbolic is not None:
            return (
                ExactMatrix(self._symbolic.extract(list(i), list(j)))
                if len(i) and len(j)
                else self.zeros(len(i), len(j))
            )
        source = self.flint
        return ExactMatrix.from_flint(fmpq_mat(len(i), len(j), [source[p, q] for p in i for q in j]))

    def beside(self, other: "ExactMatrix") -> "ExactMatrix":
        """Return [self | other]."""
        if self.rows != other.rows:
            raise ShapeError(f"both matrices must have the same number of rows, not {self.rows} and {other.rows}.")
        if self.is_rational and other.is_rational:
            a, b = self.flint.tolist(), other.flint.tolist()
            flat = [e for left, right in zip(a, b, strict=True) for e in (*left, *right)]
            return ExactMatrix.from_flint(fmpq_mat(self.rows, self.columns + other.columns, flat))
        return ExactMatrix(sympy.Matrix.hstack(sympy.Matrix(self.to_sympy()), sympy.Matrix(other.to_sympy())))

    def above(self, other: "ExactMatrix") -> "ExactMatrix":
        """Return self stacked on other."""
        return self.T.beside(other.T).T

    # -- exact solving ----------------------------------------------------------------------------

    def rref(self) -> tuple["ExactMatrix", tuple[int, ...]]:
        """Return the reduced row echelon form of a rational matrix and its pivot columns."""
        reduced, denominator, rank = integer_rows(self.flint if self._doubles is None else self._doubles).rref()
        return ExactMatrix.from_quotient(reduced, denominator), leading_columns(reduced, rank)

    def rank(self) -> int:
        """Return the rank of a rational matrix, exactly."""
        if self._sparse is not None:
            return self._sparse.rank()
        return rank_of_integers(integer_rows(self.flint if self._doubles is None else self._doubles))

    def solve(self, right_side: "ExactMatrix") -> "ExactMatrix":
        """Return the exact solution of self @ x = right_side for a non-singular rational matrix."""
        return ExactMatrix.from_flint(self.flint.solve(right_side.flint))

    def left_null_space(self) -> "ExactMatrix":
        """Return a basis, as rows, of all v with v @ self = 0."""
        reduced, pivots = self.beside(ExactMatrix.identity(self.rows)).rref()
        rank = sum(p < self.columns for p in pivots)
        return reduced.select(range(rank, self.rows), range(self.columns, self.columns + self.rows))
