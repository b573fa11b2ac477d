"""Errors raised by symbinv: one tree, one class per kind of cause.

Misuse and unsupported input raise; answers never do. An empty preimage, an undecided verdict or
a point that fails its check is a value (see `symbinv.inverse.verdict`).
"""


class SymbinvError(Exception):
    """Base class of every error that symbinv raises on purpose."""


class ShapeError(SymbinvError):
    """A vector, matrix or network whose sizes do not fit together."""


class InexactError(SymbinvError):
    """A number that has no exact value where one is needed: NaN, infinity, a non-rational entry."""


class NotInvertibleError(SymbinvError):
    """A map that cannot ever be inverted in the way that was asked for."""


class NotSupportedError(SymbinvError):
    """Something that could be supported and is not yet; names the layer, operator or option."""


class ReadError(SymbinvError):
    """A file that cannot be read or written; names the place."""


class BudgetError(SymbinvError):
    """A limit on work or size that was reached; tells the count, the limit and how to raise it."""


class OptionError(SymbinvError):
    """An argument whose value is none of those that are understood."""
