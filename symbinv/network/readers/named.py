"""Activations as frameworks name them, looked up in our table when they are needed."""

from collections.abc import Mapping
from fractions import Fraction

from symbinv.errors import InexactError, NotSupportedError, OptionError
from symbinv.network.activation import ACTIVATIONS, Activation

_STANDARD = {
    ("elu", "alpha"): 1.0,
    ("celu", "alpha"): 1.0,
    ("silu", "alpha"): 1.0,
}


def named(name: str, parameters: Mapping[str, Fraction] | None = None) -> Activation:
    """Return an activation of our table with these parameters.

    Args:
        name: Its name in `ACTIVATIONS`.
        parameters: Exact values; one that our activation does not have must have the standard value.

    Raises:
        NotSupportedError: Where the table has none of that name, or not with these parameters.

    Example:
        >>> named("leaky_relu", {"alpha": Fraction(1, 10)}).label, named("leaky_relu", {"alpha": Fraction(0)}).label
        ('leaky_relu(alpha=1/10)', 'relu')
    """
    values = dict(parameters or {})
    if name == "leaky_relu" and values.get("alpha") in (0, 1):
        name, values = ("identity" if values["alpha"] else "relu"), {}
    if name == "leaky_relu" and values.get("alpha", 1) < 0:
        name = "prelu"
    if name not in ACTIVATIONS:
        raise NotSupportedError(f"the activation {name} is not supported; {', '.join(ACTIVATIONS)} are.")
    make, defaults = ACTIVATIONS[name]
    for key in [key for key in values if key not in defaults]:
        standard = _STANDARD.get((name, key))
        if standard is None or values.pop(key) != Fraction(standard):
            raise NotSupportedError(f"the activation {name} is supported with the standard {key} only.")
    try:
        return make(**{**defaults, **values})
    except OptionError as error:
        raise NotSupportedError(str(error)) from error
    except OverflowError as error:
        raise InexactError("parameters of an activation must be in the range of doubles.") from error


def indexed(name: str, count: int) -> tuple[str, ...]:
    """Return the names of the entries of one tensor.

    Example:
        >>> indexed("x", 2), indexed("y", 1)
        (('x[0]', 'x[1]'), ('y',))
    """
    return (name,) if count == 1 else tuple(f"{name}[{i}]" for i in range(count))
