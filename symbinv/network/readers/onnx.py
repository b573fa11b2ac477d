"""ONNX files and models: a chain of operators from one input to one output.

Every operator becomes an exact affine map, an activation, or (MaxPool) relu layers; what has no exact
counterpart is refused with its node. Leading axes over which every operator broadcasts are a batch of
points, so that a model of inputs (batch, 2, 2) whose products act on the last axis is a network of two
inputs; the notes say so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from symbinv.errors import NotSupportedError, ReadError
from symbinv.exact.policy import Policy, Rationalize
from symbinv.network.network import Network
from symbinv.network.readers.onnx_graph import Graph
from symbinv.network.readers.onnx_runtime import check_runtime
from symbinv.network.readers.source import read_bytes, show


def read_onnx(path: Path, *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network of an .onnx file; see the module's text.

    Raises:
        NotSupportedError: Where the `onnx` package is absent, or for what has no exact counterpart.
        ReadError: Where the file is damaged.
    """
    data = read_bytes(path)
    onnx = _import_onnx()
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf raises a class of its own, by backend
        raise ReadError(f"must be an ONNX model: {show(error)}.") from error
    return from_model(model, policy=policy, check=check, folder=path.parent, path=path)


def from_model(
    model: Any, *, policy: Policy = "exact", check: bool = True, folder: Path | None = None, path: Path | None = None
) -> Network:
    """Return the network of an `onnx.ModelProto`.

    Args:
        model: The model.
        policy: What a stored float stands for.
        check: Compare with onnxruntime, where it is installed, at a few points.
        folder: Where data outside the model may lie; None: nowhere.
        path: The model's file, for the runtime; None: the model's own bytes are used.
    """
    with _text_is_unicode():
        graph = Graph(model, folder, policy)
        network = graph.to_network()
        if check and not isinstance(policy, Rationalize):
            network = check_runtime(network, model, graph, path)
    return network


@contextmanager
def _text_is_unicode() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ReadError("names in a model must be Unicode text.") from error


def _import_onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise NotSupportedError("the package onnx is needed: pip install symbinv[onnx].") from error
    return onnx
