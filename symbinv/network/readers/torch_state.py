"""Files of torch state dicts.

A state dict holds weights and no activations: say them (`activations=`, one per linear layer), or give the
module they belong to (`model=`). Files are opened with `weights_only=True` and in no other way.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, OptionError, ReadError
from symbinv.exact.policy import Policy
from symbinv.network.network import Network
from symbinv.network.readers.arrays import read_activation
from symbinv.network.readers.source import place, read_bytes, show
from symbinv.network.readers.torch import array, import_torch, read_sequential
from symbinv.network.readers.trace import Trace

Array = NDArray[Any]

_SENTENCE = re.compile(r"[.:]?(\s*\n|\s+(?=[A-Z])|$)")  # what ends the first one; the rest is advice, in colours


def read_state_dict(
    path: Path,
    *,
    policy: Policy = "exact",
    check: bool = True,
    activations: Sequence[str] | None = None,
    model: Any = None,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """Return the network of a file with a state dict.

    Args:
        path: The file, as `torch.save(module.state_dict(), path)` writes it.
        policy: What a stored float stands for.
        check: Compare with the module at a few points (only with `model`).
        activations: One name per linear layer.
        model: The nn.Sequential that the state belongs to; it is copied, not changed.
        input_shape: Of one point, for a module that begins with a convolution.

    Raises:
        ReadError: Where torch cannot open the file as weights alone, or activations are not given.
    """
    state = _open(path)
    if model is not None:
        copy = deepcopy(model)
        try:
            copy.load_state_dict(dict(state))
        except (RuntimeError, TypeError, AttributeError, KeyError) as error:
            raise ReadError(f"the state must fit the model: {show(error, 300)}.") from error
        return read_sequential(copy, policy=policy, check=check, input_shape=input_shape)
    pairs = _linear_pairs(state)
    if activations is None:
        raise ReadError(
            f"a state dict holds weights and no activations; say them, as in load(path, activations=[...]) with one "
            f"name per linear layer ({len(pairs)}), or give the module they belong to with model=."
        )
    if isinstance(activations, str) or len(activations) != len(pairs):
        raise OptionError(f"activations must have one name per linear layer ({len(pairs)}), not {activations!r}.")
    trace = Trace((pairs[0][1].shape[1],), policy)
    for (prefix, weight, bias), spec in zip(pairs, activations, strict=True):
        with place(f"layer {show(prefix, 60)!r}"):
            trace.matmul(weight.T, bias)
            trace.activate(read_activation(spec, {}, policy)[0])
    trace.notes.append("the activations are those given to load: the file has none")
    return Network(trace.chain.finish(), notes=tuple(trace.notes))


def _open(path: Path) -> Mapping[str, Any]:
    torch = import_torch()
    _check_archive(read_bytes(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch documents no class of errors for damaged files
        raise ReadError(
            "must be a state dict that torch opens with weights_only=True, not a pickled module or a damaged file; "
            f"torch says: {show(re.split(_SENTENCE, str(error)[:500] or type(error).__name__)[0], 120)}."
        ) from error
    for key in ("state_dict", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(isinstance(k, str) and hasattr(v, "detach") for k, v in state.items()):
        raise ReadError("must hold a state dict, names with tensors.")
    return state


def _check_archive(data: bytes) -> None:
    """Refuse an archive that torch does not write: it stores members as they are, so none can grow when opened."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, KeyError, OverflowError):
        return  # the older format, or damaged: torch tells
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > len(data):
            raise ReadError(f"must be stored as torch.save does, not compressed: {show(member.filename, 60)!r}.")


def _linear_pairs(state: Mapping[str, Any]) -> list[tuple[str, Array, Array | None]]:
    """Return prefix, weight and bias of each linear layer, in the order of the state."""
    pairs: dict[str, dict[str, Array]] = {}
    for name, tensor in state.items():
        prefix, _, last = name.rpartition(".")
        with place(f"tensor {show(name, 60)!r}"):
            axes = {"weight": 2, "bias": 1}.get(last)
            if axes is None or tensor.ndim != axes:
                raise NotSupportedError(
                    "without model=, every tensor must be the weight or the bias of a linear layer."
                )
            pairs.setdefault(prefix, {})[last] = array(tensor)
    if not pairs:
        raise ReadError("must hold the weights of at least one linear layer.")
    for prefix, found in pairs.items():
        if "weight" not in found:
            raise ReadError(f"the layer {show(prefix, 60)!r} must have a weight.")
    return [(prefix, found["weight"], found.get("bias")) for prefix, found in pairs.items()]
