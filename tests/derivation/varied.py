"""Derivations of every sort: symbols and numbers, all activations, branches, boxes, empty and undecided preimages."""

from functools import cache

import sympy

import symbinv as si
from derivations.cases import DERIVATIONS
from symbinv.derivation.parametric import derive_cases, derive_closed_form

from ..catalogue import CATALOGUE

W2, B2 = [[["1/2", -1, 2], [1, "3/2", -1]]], [["1/4", -1]]
DEEP_W = [[[2, 1, 0], [1, -1, 3], [0, 1, 1]], [[1, "1/2", -1], [2, 0, 1]]]
DEEP_B = [[0, "1/2", 1], [1, -1]]
A, B, C, D = sympy.symbols("a b c d")

ONE_LAYER = {
    "softplus(beta=2)": ["1/2", 3],
    "softsign": ["1/2", "-1/3"],
    "arctan": [1, "-1/2"],
    "exp": [2, "1/3"],
    "elu": [2, "-1/2"],
    "celu(alpha=1/2)": [2, "-1/4"],
    "selu": ["1/2", -1],
    "prelu": [-1, 2],
    "tanh": ["1/2", "-1/4"],
    "log_softmax": None,
    "relu6": [3, 6],
    "hard_tanh": ["1/2", -1],
    "hard_sigmoid": ["1/2", 0],
    "identity": [1, 2],
}


def inverted(weights, biases, activations, target=None, **options):
    return si.derive(si.invert(si.Network.from_arrays(weights, biases, activations), target, **options))


def numbers():
    """Return derivations over numbers."""
    found = {f"one_{f.split('(')[0]}": inverted(W2, B2, [f], y) for f, y in ONE_LAYER.items()}
    found["symbolic_target_elu"] = inverted(W2, B2, ["elu"])
    found["abs_pattern"] = inverted(W2, B2, ["abs"], [1, 2], pattern=[[0, 1]])
    found["hard_tanh_hidden"] = inverted(DEEP_W, DEEP_B, ["hard_tanh", "identity"], [1, 2], at=["1/8", "-1/4", 3])
    found["relu_sigmoid"] = inverted(DEEP_W, DEEP_B, ["relu", "sigmoid"], ["1/2", "1/3"], at=[1, 0, 1])
    found["leaky_hidden"] = inverted(DEEP_W, DEEP_B, ["leaky_relu(1/10)", "tanh"], ["1/2", "-1/3"])
    found["sigmoid_hidden"] = inverted(DEEP_W, DEEP_B, ["sigmoid", "softmax"], ["1/2", "1/2"])
    found["boxed"] = inverted(DEEP_W, DEEP_B, ["tanh", "tanh"], [0, "1/5"], box=[[-3, 3]] * 3)
    found["empty_behind_leaky"] = inverted(
        [[[1, 2], [3, 4], [5, 6]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]],
        [[0, 0, 0], [0, 0, 0]],
        ["leaky_relu", "identity"],
        [1, -2, 4],
    )
    found["empty_in_box"] = inverted(DEEP_W, DEEP_B, ["sigmoid", "identity"], [9, 9], box=[[0, 1]] * 3)
    found["swap_needed"] = inverted([[[0, 1, 2], [3, 0, 1], [3, 1, 3]]], [[0, 1, 2]], ["sigmoid"])
    found["softmax_symbols"] = inverted(W2, B2, ["softmax"])
    return found


def symbolic():
    """Return derivations over symbols, with hidden zeros, shared weights and weights that cancel."""
    return {
        "shared": inverted([[[A, B, C], [A, B, D]]], [[0, 1]], ["sigmoid"]),
        "hidden_zero": inverted([[[A, B, 1], [2 * A, 2 * B, C]]], [[0, 1]], ["tanh"]),
        "rank_one": inverted([[[A, B], [A * C, B * C]]], [[0, 1]], ["identity"]),
        "zero_corner": inverted([[[0, A, B], [C, D, 1]]], [[0, 1]], ["softplus"]),
        "mixed_numbers": inverted([[[1, A, 2], [3, B, -1], [0, 1, C]]], [[0, A, 1]], ["exp"]),
        "generic_4_3": si.derive(si.invert(si.Network.generic([4, 3], ["softmax"]))),
        "generic_2_2_3": si.derive(si.invert(si.Network.generic([2, 2, 3], ["sigmoid", "tanh"]))),
        "chosen_free": si.derive(si.invert(si.Network.generic([3, 2], ["sigmoid"]), free={1: [0]})),
        "symbolic_empty": si.derive(si.invert(si.Network.generic([3, 2], ["sigmoid"]), [2, "1/2"])),
    }


def with_closed_form(inverse):
    """Return the derivation of one layer with its closed form before the verdict."""
    step, derivation = inverse.step(1), si.derive(inverse)
    *rest, last = derivation.steps
    closed = derive_closed_form(step, si.closed_form(step.reduction))
    return si.Derivation(derivation.title, (*rest, closed, last))


def parametric():
    """Return closed forms and trees of cases."""
    divided = si.Network.from_arrays([[[A / B, 1, D], [1, C / 2, A]]], [[0, 1]], ["sigmoid"])
    return {
        "closed_swapped": with_closed_form(
            si.invert(si.Network.from_arrays([[[0, A, 1], [B, C, D]]], [[0, 1]], ["tanh"]))
        ),
        "closed_widening": with_closed_form(si.invert(si.Network.generic([2, 3], ["exp"]))),
        "closed_divided": with_closed_form(si.invert(divided, free={1: [0]})),
        "cases_shared": derive_cases(si.reduce_cases([[A, B / (1 + C)], [C, A * B]])),
        "cases_squares": derive_cases(si.reduce_cases([[A, B, C], [C, A, B], [B, C, A]])),
    }


def curved():
    """Return derivations on the branches of activations that fall and then rise."""
    deep, narrow = ([[0, 1], [1, -1]], [[1, 0], [0, 1]]), [[1, 1], [1, -1]]
    found = {
        f"{f}_left_right": inverted(W2, B2, [f], ["-1/10", "1/2"], pattern=[["left", "right"]])
        for f in ("silu", "gelu")
    }
    found |= {
        "square_exact": inverted(W2, B2, ["square"], [4, "9/4"], pattern=[["left", "right"]]),
        "square_root": inverted(W2, B2, ["square"], [2, 3], pattern=[["right", "right"]]),
        "square_two_exact": inverted(deep, [[0, 0], [0, 0]], ["square", "identity"], [4, 9], at=[-2, 3]),
        "silu_symbols": inverted(W2, B2, ["silu"], pattern=[["left", "right"]]),
        "gelu_off_branch": inverted(W2, B2, ["gelu"], ["1/2", "1/2"], pattern=[["left", "right"]]),
        "silu_hidden_empty": inverted(
            (narrow, narrow), [[0, 0], [0, 0]], ["silu", "identity"], [-3, 1], pattern=[["left", "right"], None]
        ),
    }
    for first, last in (("gelu", "sigmoid"), ("silu", "identity"), ("sigmoid", "square"), ("identity", "silu")):
        network = si.Network.from_arrays([W2[0], narrow], [B2[0], [0, "1/2"]], [first, last])
        x = [0.25, -0.5, 0.75]
        found[f"{first}_{last}"] = si.derive(si.invert(network, network.forward([x])[0].tolist(), at=x))
    return found


def chosen():
    """Return derivations with other pivots than the paper's, asked for or needed by numbers."""
    generic = si.invert(si.Network.generic([3, 2], ["sigmoid"]))
    hole = si.Network.from_arrays([[[0, A, B], [C, 0, 1]]], [[0, 1]], ["tanh"])
    return {
        "fewest_provisos": si.derive(si.invert(hole, strategy="fewest_provisos")),
        "best_conditioned": inverted(DEEP_W, DEEP_B, ["tanh", "tanh"], [0, "1/5"], strategy="best_conditioned"),
        "free_numbers": inverted(DEEP_W, DEEP_B, ["tanh", "softmax"], ["1/4", "3/4"], order={1: [2, 0], 2: [1]}),
        "ordered": si.derive(si.invert(si.Network.generic([3, 2], ["tanh"]), order={1: [2, 1]})),
        "put_pivot_zero": si.derive(si.substitute(generic, {"w_{11}": 0})),
        "put_column_zero": si.derive(si.substitute(generic, {"w_{11}": 0, "w_{21}": 0, "w_{12}": "1/2"})),
        "put_slope": si.derive(
            si.substitute(
                si.invert(si.Network.from_arrays([[[A, B]]], [[0]], ["leaky_relu(alpha)"])), {"alpha": "1/10", "a": 2}
            )
        ),
    }


@cache
def varied():
    """Return all of them by name."""
    kept = {f"kept_{name}": make() for name, make in DERIVATIONS.items()}
    made = numbers() | symbolic() | parametric() | curved() | chosen()
    return kept | {case.name: si.derive(case.invert()) for case in CATALOGUE} | made
