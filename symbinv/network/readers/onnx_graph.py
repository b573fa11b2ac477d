"""The graph of an ONNX model: found to be a chain, then walked from its input to its output."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ReadError, SymbinvError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy
from symbinv.network.network import Network
from symbinv.network.readers import limits, onnx_constant, onnx_ops
from symbinv.network.readers.named import indexed
from symbinv.network.readers.onnx_attribute import Node, read_node, text
from symbinv.network.readers.onnx_tensor import FLOAT_TYPES, to_array
from symbinv.network.readers.source import show
from symbinv.network.readers.trace import TouchesBatchError, Trace

_MAX_NODES = 20_000
_OPSETS = range(7, 29)


class Graph:
    """One graph with one input and one output.

    Attributes:
        input_name, output_name: Of the two tensors.
        sizes: Declared sizes of the input, None where left open.
        type_name: The input's type: "float16", "float32" or "float64".
        batch_axes: How many leading axes are a batch of points; known after `to_network`.

    Raises:
        NotSupportedError: For several inputs or outputs, branches, and opsets before 7.
        ReadError: For a damaged graph.
    """

    def __init__(self, model: Any, folder: Path | None, policy: Policy) -> None:
        graph = model.graph
        self._policy = policy
        self.opset = _opset(model)
        if graph.sparse_initializer:
            raise NotSupportedError("sparse initialisers are not read.")
        if any(function.domain in ("", "ai.onnx") for function in model.functions):
            raise NotSupportedError("a model that defines operators of ONNX anew is not read.")
        if len(graph.node) > _MAX_NODES:
            raise NotSupportedError(f"a graph must have at most {_MAX_NODES} nodes, not {len(graph.node)}.")
        self._tensors = {text(t.name): t for t in graph.initializer}
        self._folder = folder
        inputs = [i for i in graph.input if text(i.name) not in self._tensors]
        for what, found in (("input", inputs), ("output", graph.output)):
            if len(found) != 1:
                names = ", ".join(show(i.name, 40) for i in found[:5])
                raise NotSupportedError(f"a network must have one {what}, not {len(found)} ({names or 'none'}).")
        self.input_name, self.output_name = text(inputs[0].name), text(graph.output[0].name)
        self.type_name, self.sizes = _declared(inputs[0])
        self._nodes = [read_node(n, k) for k, n in enumerate(graph.node, start=1)]
        self._order = self._needed()
        self._constants: dict[str, NDArray[Any]] = {}
        self._chain = self._find_chain()
        self.batch_axes = 0

    # -- the chain ----------------------------------------------------------------------------------------

    def _needed(self) -> list[Node]:
        """Return the nodes that the output depends on, in an order in which they can be evaluated."""
        producers: dict[str, Node] = {}
        for node in self._nodes:
            for name in node.outputs:
                if name and (name in producers or name == self.input_name or name in self._tensors):
                    raise ReadError(f"{node.place}: the value {show(name, 40)!r} is made twice.")
                producers[name] = node
        order: list[Node] = []
        state: dict[int, int] = {}  # 1 while what a node depends on is visited, 2 when it is in the order
        stack = [producers[self.output_name]] if self.output_name in producers else []
        while stack:
            node = stack[-1]
            mark = state.get(node.number, 0)
            if mark:
                stack.pop()
                if mark == 1:
                    state[node.number] = 2
                    order.append(node)
                continue
            state[node.number] = 1
            for name in node.inputs:
                if name in producers:
                    below = producers[name]
                    if state.get(below.number) == 1:
                        raise ReadError(f"{node.place}: the graph must have no cycle.")
                    if not state.get(below.number):
                        stack.append(below)
        return order

    def _find_chain(self) -> list[Node]:
        """Evaluate what does not depend on the input; return the other nodes, each with one such input."""
        known = {self.input_name}
        others: dict[str, Node] = {}  # further outputs of nodes of the chain, such as a Dropout's mask
        users: dict[str, Node] = {}
        chain = []
        for node in self._order:
            for name in node.inputs:
                if name in others:
                    raise NotSupportedError(
                        f"{node.place} takes {show(name, 40)!r}, which is not the first output of {others[name].place}."
                    )
            varying = [name for name in node.inputs if name in known]
            if not varying:
                with node.naming():
                    self._constants.update(
                        onnx_constant.evaluate(node, self.constant, self._folder, self.opset, self._policy)
                    )
                continue
            if len(varying) > 1:
                raise NotSupportedError(
                    f"{node.place} has {len(varying)} inputs that depend on the network's input; a chain has one: "
                    "branches and residual connections are not read."
                )
            if varying[0] in users:
                raise NotSupportedError(
                    f"{node.place} and {users[varying[0]].place} take the same value {show(varying[0], 40)!r}; "
                    "branches are not read."
                )
            users[varying[0]] = node
            known.update(node.outputs[:1])
            others.update({name: node for name in node.outputs[1:] if name})
            chain.append(node)
        if self.output_name in users:
            raise NotSupportedError(f"{users[self.output_name].place} uses the output; branches are not read.")
        if self.output_name in others:
            raise NotSupportedError(f"the output must be the first of {others[self.output_name].place}.")
        return chain

    def constant(self, name: str) -> NDArray[Any]:
        """Return a value that does not depend on the input.

        Raises:
            ReadError: Where there is none of that name.
        """
        if name not in self._constants:
            if name not in self._tensors:
                raise ReadError(f"the value {show(name, 60)!r} is made nowhere.")
            self._constants[name] = to_array(self._tensors[name], self._folder)
        return self._constants[name]

    # -- the network --------------------------------------------------------------------------------------

    def to_network(self) -> Network:
        """Return the network, with as many leading axes taken for a batch as every operator leaves apart."""
        if not self._chain and self.output_name != self.input_name:
            return self._constant_network()
        refusal: SymbinvError | None = None
        for batch_axes in range(max(len(self.sizes) - 1, 0), -1, -1):
            features = self.sizes[batch_axes:]
            if None in features:
                refusal = refusal or NotSupportedError(
                    f"the sizes of one point must be declared, not left open as in {_shown(self.sizes)}."
                )
                break
            sizes, batch = [int(size or 0) for size in features], self.sizes[:batch_axes]
            try:
                self._walk(sizes, batch, shapes_only=True)
            except (TouchesBatchError, ReadError) as error:  # a size may fit only where it counts as the point's
                refusal = error
                continue
            self.batch_axes = batch_axes
            return self._finish(self._walk(sizes, batch))
        if len(self.sizes) > 1 and self.sizes[0] is None and None not in self.sizes[1:]:
            sizes = [int(size or 1) for size in self.sizes]
            self._walk(sizes, (), shapes_only=True)
            trace = self._walk(sizes, ())
            trace.notes.append(f"the batch is one point: an operator mixes the first axis of {_shown(self.sizes)}")
            return self._finish(trace)
        raise refusal or NotSupportedError("the input must have a shape.")

    def _walk(self, features: list[int], batch: tuple[int | None, ...], *, shapes_only: bool = False) -> Trace:
        trace = Trace((1,) * len(batch) + tuple(features), self._policy, batch, shapes_only=shapes_only)
        for node in self._chain:
            with node.naming():
                onnx_ops.apply(node, trace, self._varying(node), self.constant, self.opset)
        return trace

    def _varying(self, node: Node) -> int:
        """Return which input of a node of the chain depends on the network's input."""
        for k, name in enumerate(node.inputs):
            if name and name not in self._constants and name not in self._tensors:
                return k
        return 0

    def _finish(self, trace: Trace) -> Network:
        wide = [k for k, size in enumerate(self.sizes[: self.batch_axes], start=1) if size != 1]
        notes = list(dict.fromkeys(trace.notes))
        if len(wide) > 1 or any((self.sizes[k - 1] or 1) > 1 for k in wide):
            which = "axis" if wide[-1] == 1 else f"{wide[-1]} axes"
            notes.insert(
                0,
                f"the first {which} of the input {_shown(self.sizes)} {'is' if wide[-1] == 1 else 'are'} a batch of "
                "points: every operator acts on each point alone",
            )
        left_out = len(self._nodes) - len(self._order)
        if left_out:
            notes.append(f"nodes on which the output does not depend were left out: {left_out}")
        layers = trace.chain.finish()
        return Network(
            layers,
            indexed(self.input_name, layers[0].weights.columns),
            indexed(self.output_name, layers[-1].weights.rows),
            None,
            tuple(notes),
        )

    def _constant_network(self) -> Network:
        """Return the network of a graph whose output does not depend on its input."""
        value = self.constant(self.output_name)
        sizes = [size or 1 for size in self.sizes]
        inputs = limits.check_width(limits.entries(sizes, "the input"), "the input")
        outputs = limits.check_width(value.size, "the output")
        trace = Trace((inputs,), self._policy)
        trace.chain.apply(ExactMatrix.from_entries((outputs, inputs), [], [], np.zeros(0)))
        trace.shape = value.shape
        trace.add(value)
        trace.notes.append("the output does not depend on the input")
        return self._finish(trace)


def _shown(sizes: tuple[int | None, ...]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in sizes)})"


def _opset(model: Any) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1:
        raise ReadError(f"must import the operators of ONNX in one version, not {len(versions)}.")
    if versions[0] not in _OPSETS:
        raise NotSupportedError(
            f"the version of the operators must lie between {_OPSETS.start} and {_OPSETS.stop - 1}, not {versions[0]}."
        )
    return int(versions[0])


def _declared(value: Any) -> tuple[str, tuple[int | None, ...]]:
    """Return the type and the sizes of a graph's input."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise NotSupportedError(f"the input {show(value.name, 40)!r} must be a tensor, not {kind}.")
    tensor = value.type.tensor_type
    if tensor.elem_type not in FLOAT_TYPES:
        raise NotSupportedError(
            f"the input {show(value.name, 40)!r} must hold floats of 16 to 64 bits, not ONNX's type {tensor.elem_type}."
        )
    if not tensor.HasField("shape") or len(tensor.shape.dim) > 16:
        raise NotSupportedError(f"the input {show(value.name, 40)!r} must declare a shape of at most 16 axes.")
    sizes: list[int | None] = []
    for dim in tensor.shape.dim:
        known = dim.HasField("dim_value") and dim.dim_value > 0
        if dim.HasField("dim_value") and dim.dim_value < 0:
            raise ReadError(f"the input {show(value.name, 40)!r} must have positive sizes, not {dim.dim_value}.")
        sizes.append(int(dim.dim_value) if known else None)
    limits.entries([size or 1 for size in sizes], "the input")
    return FLOAT_TYPES[tensor.elem_type], tuple(sizes)
