"""Parity of an ONNX model with onnxruntime; with onnx's reference evaluator for what onnxruntime cannot run."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.network.network import Network
from symbinv.network.readers.onnx_graph import Graph
from symbinv.network.readers.reference import check_parity
from symbinv.network.readers.source import show

Array = NDArray[Any]
_MAX_REFERENCE_WIDTH = 4096


def check_runtime(network: Network, model: Any, graph: Graph, path: Path | None) -> Network:
    """Return the network with a note on what it was compared with.

    Raises:
        ReadError: Where the runtime's outputs differ.
    """
    reasons = []
    for name, start in (("onnxruntime", _onnxruntime), ("onnx.reference", _reference)):
        try:
            run = start(network, model, graph, path)
            run(np.zeros((1, network.sizes[0])))
        except ImportError:  # onnx.reference errs on pools and old softmax, so it does not judge alone
            reasons.append(f"{name} is not installed")
            break
        except Exception as error:  # a runtime that cannot run the model says nothing about what was read
            reasons.append(f"{name} cannot run it: {show(str(error), 120)}")
            continue
        note = check_parity(network, run, graph.type_name, name)
        return replace(network, notes=(*network.notes, note))
    return replace(network, notes=(*network.notes, "; ".join(["not checked against a runtime", *reasons])))


def _feeder(network: Network, graph: Graph, execute: Callable[[dict[str, Array]], Any]) -> Callable[[Array], Array]:
    sizes = [size or 1 for size in graph.sizes]
    points = prod(sizes[: graph.batch_axes])

    def run(x: Array) -> Array:
        outputs = []
        for row in x:
            tensor = np.tile(row, points).astype(graph.type_name).reshape(sizes)
            (result,) = execute({graph.input_name: tensor})
            outputs.append(np.asarray(result, dtype=np.float64).reshape(points, -1)[-1])
        return np.array(outputs)

    return run


def _onnxruntime(network: Network, model: Any, graph: Graph, path: Path | None) -> Callable[[Array], Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_mem_pattern = False
    content = str(path) if path is not None and _has_outside_data(model) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return _feeder(network, graph, lambda feeds: session.run(None, feeds))


def _reference(network: Network, model: Any, graph: Graph, path: Path | None) -> Callable[[Array], Array]:
    from onnx.reference import ReferenceEvaluator

    if max(network.sizes) > _MAX_REFERENCE_WIDTH or _has_outside_data(model):
        raise ValueError("it is too large for it")
    evaluator = ReferenceEvaluator(model)
    return _feeder(network, graph, lambda feeds: evaluator.run(None, feeds))


def _has_outside_data(model: Any) -> bool:
    return any(t.data_location == 1 for t in model.graph.initializer)
