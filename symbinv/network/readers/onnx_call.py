"""A node of an ONNX graph at the moment it is applied: its constants by position, its attributes exact."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ReadError
from symbinv.network.readers.onnx_attribute import Node
from symbinv.network.readers.onnx_constant import integers
from symbinv.network.readers.trace import Trace

Array = NDArray[Any]


@dataclass(frozen=True)
class Call:
    """A node that is applied to a trace.

    Attributes:
        node: The node.
        trace: What it is applied to.
        varying: Which of its inputs is the trace.
        constant: Looks a constant up by name.
        opset: The version of the operators.
    """

    node: Node
    trace: Trace
    varying: int
    constant: Callable[[str], Array]
    opset: int

    def first(self) -> None:
        """Refuse a node whose first input is not the one that varies."""
        if self.varying != 0:
            raise NotSupportedError("its first input must be the one that depends on the network's input.")

    def floats(self, k: int) -> Array | None:
        """Return a constant input of floats, or None where it is absent."""
        name = self.node.input(k)
        if not name:
            return None
        value = self.constant(name)
        if value.dtype.kind not in "fO":
            raise ReadError(f"input {k + 1} must hold floats, not {value.dtype.name}.")
        return value

    def need(self, k: int) -> Array:
        """Return a constant input of floats that must be there."""
        value = self.floats(k)
        if value is None:
            raise ReadError(f"input {k + 1} is missing.")
        return value

    def integers(self, k: int, what: str) -> list[int]:
        """Return a constant input that must be a list of integers."""
        name = self.node.input(k)
        if not name:
            raise ReadError(f"{what} must be given.")
        return integers(self.constant(name), what)

    def keep_shape(self, constant: Array) -> None:
        """Refuse a constant that does not broadcast to the shape of the present tensor."""
        shape = self.trace.shape
        try:
            wide = np.broadcast_shapes(shape, constant.shape)
        except ValueError:
            wide = ()
        if wide != shape:
            raise ReadError(f"a constant of shape {constant.shape} must broadcast to {shape} and not widen it.")

    def number(self, name: str, default: float) -> Fraction:
        """Return an attribute that is a float32 as an exact number."""
        return self.trace.number(self.node.number_of(name, default))
