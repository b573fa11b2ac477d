"""symbinv: exact inversion of neural networks.

Given a network and an output, derive every input that produces it, exactly and with every step shown, and run
that derivation at NumPy speed.
"""

from symbinv.algebra.cases import CaseTree, reduce_cases
from symbinv.algebra.closed_form import ClosedForm, closed_form
from symbinv.algebra.elimination import RowReduction, reduce_rows
from symbinv.algebra.fiber import AffineFiber, solve_fiber
from symbinv.algebra.operation import AddMultiple, Scale, Swap
from symbinv.cells.answer import answer
from symbinv.cells.preimage import Preimage, preimage, regions
from symbinv.cells.specification import read_specification
from symbinv.derivation.derive import derive
from symbinv.derivation.replay.walk import Replay
from symbinv.derivation.steps import Derivation
from symbinv.errors import (
    BudgetError,
    InexactError,
    NotInvertibleError,
    NotSupportedError,
    OptionError,
    ReadError,
    ShapeError,
    SymbinvError,
)
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import rationalize
from symbinv.inverse.derivatives import differentiate
from symbinv.inverse.invert import Inverse, invert
from symbinv.inverse.substitute import substitute
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown
from symbinv.network.activation import ACTIVATIONS, Activation, activation
from symbinv.network.network import Layer, Network
from symbinv.network.readers.arrays import save
from symbinv.network.readers.load import load
from symbinv.network.readers.registry import register_reader
from symbinv.network.readers.vnnlib import read_box, read_boxes
from symbinv.polyhedra.polyhedron import Polyhedron
from symbinv.presentation.latex import to_latex
from symbinv.presentation.markdown import to_markdown
from symbinv.presentation.plot import plot_manifold, plot_pairs
from symbinv.presentation.text import to_text
from symbinv.sampler.batched import compile_batched
from symbinv.sampler.certificate import certify
from symbinv.sampler.compile import Sampler, compile_sampler
from symbinv.sampler.samples import Samples, load_samples
from symbinv.sampler.stream import stream
from symbinv.sampler.walks.chart import gaussian

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AddMultiple",
    "AffineFiber",
    "BudgetError",
    "CaseTree",
    "ClosedForm",
    "Derivation",
    "Empty",
    "ExactMatrix",
    "InexactError",
    "Inverse",
    "Layer",
    "Network",
    "NonEmpty",
    "NotInvertibleError",
    "NotSupportedError",
    "OptionError",
    "Polyhedron",
    "Preimage",
    "ReadError",
    "Replay",
    "RowReduction",
    "Sampler",
    "Samples",
    "Scale",
    "ShapeError",
    "Swap",
    "SymbinvError",
    "Unknown",
    "activation",
    "answer",
    "certify",
    "closed_form",
    "compile_batched",
    "compile_sampler",
    "derive",
    "differentiate",
    "gaussian",
    "invert",
    "load",
    "load_samples",
    "plot_manifold",
    "plot_pairs",
    "preimage",
    "rationalize",
    "read_box",
    "read_boxes",
    "read_specification",
    "reduce_cases",
    "reduce_rows",
    "regions",
    "register_reader",
    "save",
    "solve_fiber",
    "stream",
    "substitute",
    "to_latex",
    "to_markdown",
    "to_text",
]
