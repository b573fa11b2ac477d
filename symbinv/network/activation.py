"""Activations: one table, one entry each, with all that the rest of the library needs to know.

The entries stand in `activations/`, grouped by how they are undone; each file has its part of the table. To add
an activation, add its function and its line there; nothing else in the library names one.

Softmax and log_softmax mix their entries (`joint`). They forget a common shift of their argument, so their inverse
is log a + c, or a + c, with a free shift c (`has_shift`), and the image is the open simplex or its logarithm.
"""

import copyreg
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

import sympy

from symbinv.errors import InexactError, OptionError
from symbinv.exact.policy import Policy, to_fraction
from symbinv.network.activations import branched, mixing, piecewise, saturating
from symbinv.network.activations.entry import (
    IDENTITY_PIECES,
    Activation,
    Branch,
    Inverse1D,
    Joint,
    Maker,
    Parameter,
    Piece,
)
from symbinv.notation import is_safe

__all__ = ["ACTIVATIONS", "IDENTITY_PIECES", "Activation", "Branch", "Inverse1D", "Joint", "Piece", "activation"]

ACTIVATIONS: Mapping[str, tuple[Maker, Mapping[str, Fraction]]] = MappingProxyType(
    {**piecewise.ENTRIES, **saturating.ENTRIES, **branched.ENTRIES, **mixing.ENTRIES}
)

NOT_NAMES = ("nan", "inf", "infinity")  # text that other programs write for what is no number

_ALIASES = {
    "logistic": "sigmoid",
    "linear": "identity",
    "swish": "silu",
    "atan": "arctan",
    "hardtanh": "hard_tanh",
    "hardsigmoid": "hard_sigmoid",
    "leakyrelu": "leaky_relu",
    "logsoftmax": "log_softmax",
}


def activation(spec: "str | Activation", policy: Policy = "exact", **symbols: sympy.Symbol) -> Activation:
    """Return the activation that a name stands for, with parameters in parentheses where it has any.

    Args:
        spec: A name of the table such as "sigmoid", "leaky_relu(0.1)" or "leaky_relu(alpha=1/10)", or
            an `Activation`, which is returned as it is. A parameter that is a name, as in "leaky_relu(alpha)",
            stays a symbol.
        policy: What a float parameter stands for (text is exact as written).
        symbols: Parameters that stay symbols, as alpha=Symbol("alpha"); taken to be positive.

    Raises:
        OptionError: For a name that is not in the table, or parameters it does not have.

    Example:
        >>> activation("leaky_relu(0.1)").parameters["alpha"]
        Fraction(1, 10)
        >>> activation("leaky_relu", alpha=sympy.Symbol("alpha")).symbolic(sympy.Integer(-2))
        -2*alpha
    """
    if isinstance(spec, Activation):
        return spec
    if not isinstance(spec, str):
        raise OptionError(f"an activation must be a name or an Activation, not {spec!r}.")
    head, parenthesis, tail = spec.strip().partition("(")
    name = _ALIASES.get(head.strip().lower(), head.strip().lower())
    if name not in ACTIVATIONS:
        raise OptionError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {spec[:60]!r}.")
    make, defaults = ACTIVATIONS[name]
    unknown = [key for key in symbols if key not in defaults]
    if unknown or not all(isinstance(s, sympy.Symbol) for s in symbols.values()):
        raise OptionError(f"symbols must be SymPy symbols for parameters among {list(defaults)}, not {symbols}.")
    given = _parameters(spec, tail, list(defaults), policy) if parenthesis else {}
    try:
        return make(**{**defaults, **given, **symbols})
    except OverflowError as error:
        raise InexactError(f"parameters of {name} must be in the range of doubles, not as in {spec[:60]!r}.") from error


def _parameters(spec: str, tail: str, names: list[str], policy: Policy) -> dict[str, Parameter]:
    body = tail.strip().removesuffix(")")
    values: dict[str, Parameter] = {}
    for position, part in enumerate(p for p in body.split(",") if p.strip()):
        key, equals, text = part.partition("=")
        if not equals:
            key, text = (names[position] if position < len(names) else ""), part
        if key.strip() not in names:
            raise OptionError(f"parameters of an activation must be among {names}, not as in {spec[:60]!r}.")
        value = text.strip()
        is_name = is_safe(value) and value.lower() not in NOT_NAMES
        values[key.strip()] = sympy.Symbol(value) if is_name else to_fraction(value, policy)
    return values


def _reduce(entry: Activation) -> tuple[Callable[[str], Activation], tuple[str]]:
    """Let an entry of the table travel to other processes by its name."""
    return activation, (entry.label,)


copyreg.pickle(Activation, _reduce)
