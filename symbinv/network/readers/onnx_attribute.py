"""Nodes of an ONNX graph and their attributes, typed and complete: an attribute that is not understood is refused."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from symbinv.errors import NotSupportedError, ReadError, SymbinvError
from symbinv.network.readers.source import show


@dataclass(frozen=True)
class Node:
    """One operator of a graph.

    Attributes:
        number: Its place among the nodes, from 1.
        name, operator, domain: As the file calls it.
        inputs, outputs: Names of values; "" for an optional one that is absent.
        attributes: By name: np.float32, int, str, a TensorProto, or a tuple of numbers.
    """

    number: int
    name: str
    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def place(self) -> str:
        """The node as messages name it."""
        called = f" {show(self.name, 60)!r}" if self.name else ""
        return f"node {self.number}{called} ({show(self.operator, 40)})"

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Put the node in front of the message of every error of ours that leaves the block."""
        try:
            yield
        except SymbinvError as error:
            raise type(error)(f"{self.place}: {error}") from error

    def allow(self, *names: str) -> None:
        """Refuse attributes other than these."""
        others = sorted(set(self.attributes) - set(names))
        if others:
            raise NotSupportedError(f"the attribute {show(others[0], 40)!r} is not supported.")

    def check_version(self, opset: int) -> None:
        """Refuse attributes and inputs that the operator does not have in this version of ONNX's operators.

        They are what another version says in another way, or not at all, so that reading them would be guessing.
        """
        from onnx import defs

        try:
            schema = defs.get_schema(self.operator, opset, "")
        except defs.SchemaError as error:
            raise NotSupportedError(f"version {opset} of ONNX's operators has no {show(self.operator, 40)}.") from error
        others = sorted(set(self.attributes) - set(schema.attributes))
        if others:
            raise NotSupportedError(f"version {opset} of the operator has no attribute {show(others[0], 40)!r}.")
        if len(self.inputs) > schema.max_input:
            raise NotSupportedError(
                f"version {opset} of the operator has at most {schema.max_input} inputs, not {len(self.inputs)}."
            )

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is an integer."""
        return int(self._typed(name, default, int))

    def number_of(self, name: str, default: float) -> Any:
        """Return an attribute that is a float32; the default as float32 where it is absent."""
        return self._typed(name, np.float32(default), np.float32)

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is text."""
        return str(self._typed(name, default, str))

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
        """Return an attribute that is a list of integers."""
        found: tuple[int, ...] | None = self._typed(name, default, tuple)
        return found

    def input(self, k: int) -> str:
        """Return the name of an input, "" where it is absent."""
        return self.inputs[k] if k < len(self.inputs) else ""

    def _typed(self, name: str, default: Any, kind: type) -> Any:
        value = self.attributes.get(name, default)
        if value is not default and not isinstance(value, kind):
            raise ReadError(f"the attribute {name!r} must be of type {kind.__name__}, not {type(value).__name__}.")
        return value


def text(value: str | bytes) -> str:
    """Return a name of a model; protobuf gives bytes where it is no Unicode text, which is refused."""
    if isinstance(value, bytes):
        raise ReadError("names in a model must be Unicode text.")
    return value


def read_node(proto: Any, number: int) -> Node:
    """Return a NodeProto as a Node.

    Raises:
        ReadError: For an attribute without a type, or given twice.
        NotSupportedError: For attributes that are graphs or refer to others.
    """
    inputs, outputs = tuple(map(text, proto.input)), tuple(map(text, proto.output))
    node = Node(number, text(proto.name), text(proto.op_type), text(proto.domain), inputs, outputs, {})
    attributes: dict[str, Any] = {}
    with node.naming():
        if proto.domain not in ("", "ai.onnx"):
            raise NotSupportedError(f"operators of the domain {show(proto.domain, 40)!r} are not supported.")
        for attribute in proto.attribute:
            name = text(attribute.name)
            if name in attributes:
                raise ReadError(f"the attribute {show(name, 40)!r} is given twice.")
            attributes[name] = _value(attribute)
    return Node(number, node.name, node.operator, node.domain, node.inputs, node.outputs, attributes)


def _value(attribute: Any) -> Any:
    if attribute.ref_attr_name:
        raise NotSupportedError(f"the attribute {show(attribute.name, 40)!r} refers to another.")
    match attribute.type:
        case 1:
            return np.float32(attribute.f)
        case 2:
            return int(attribute.i)
        case 3:
            return attribute.s.decode("utf-8", "replace")
        case 4:
            return attribute.t
        case 6:
            return tuple(np.float32(f) for f in attribute.floats)
        case 7:
            return tuple(int(i) for i in attribute.ints)
    raise NotSupportedError(
        f"the attribute {show(attribute.name, 40)!r} must be a number, text, a tensor or a list of numbers, "
        f"not ONNX's type {attribute.type}."
    )
