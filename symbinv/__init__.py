"""symbinv: exact inversion of neural networks.

Given a network and an output, derive every input that produces it, exactly and with every step shown, and run
that derivation at NumPy speed.
"""

from symbinv.algebra.elimination import RowReduction, reduce_rows
from symbinv.algebra.fiber import AffineFiber, solve_fiber
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
from symbinv.inverse.invert import Inverse, invert
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown
from symbinv.network.activation import ACTIVATIONS, Activation, activation
from symbinv.network.network import Layer, Network
from symbinv.network.readers.arrays import save
from symbinv.network.readers.load import load
from symbinv.sampler.certificate import certify
from symbinv.sampler.chart import gaussian
from symbinv.sampler.compile import Sampler, compile_sampler
from symbinv.sampler.samples import Samples, load_samples

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AffineFiber",
    "BudgetError",
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
    "ReadError",
    "RowReduction",
    "Sampler",
    "Samples",
    "ShapeError",
    "SymbinvError",
    "Unknown",
    "activation",
    "certify",
    "compile_sampler",
    "gaussian",
    "invert",
    "load",
    "load_samples",
    "rationalize",
    "reduce_rows",
    "save",
    "solve_fiber",
]
