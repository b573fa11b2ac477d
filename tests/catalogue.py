"""Small networks with known facts. Each has a name (the test's id) and tags saying what makes it hard.

Facts are worked out by hand; `free` are the symbols of the free variables, last layer first.
"""

from dataclasses import dataclass, field

import symbinv as si

TAGS = frozenset(
    {
        "narrowing",
        "square",
        "widening",
        "rank_deficient",
        "zero_pivot",
        "softmax",
        "pattern",
        "saturated",
        "deep",
        "one_piece",
        "empty",
        "boundary_touch",
        "box",
    }
)


@dataclass(frozen=True)
class Case:
    name: str
    weights: list
    biases: list
    activations: list
    target: list
    verdict: str
    free: tuple = ()
    dimension: int = -1
    ranks: tuple = ()
    tags: frozenset = frozenset()
    options: dict = field(default_factory=dict)
    layer: int | None = None  # at which an empty target fails

    @property
    def network(self):
        return si.Network.from_arrays(self.weights, self.biases, self.activations)

    def invert(self):
        return si.invert(self.network, self.target, **self.options)


def case(name, weights, biases, activations, target, verdict, tags, **facts):
    return Case(name, weights, biases, activations, target, verdict, tags=frozenset(tags.split()), **facts)


CATALOGUE = [
    case(
        "paper_3_2",
        [[["0.8", "-0.5", "0.3"], ["-0.4", "0.9", "0.6"]]],
        [["0.1", "-0.2"]],
        ["sigmoid"],
        ["0.8", "0.2"],
        "NonEmpty",
        "narrowing",
        free=("x_3",),
        dimension=1,
        ranks=(2,),
    ),
    case(
        "zero_first_pivot",
        [[[0, 1, 2], [3, 0, 1]]],
        [[0, 0]],
        ["tanh"],
        ["1/2", "-1/2"],
        "NonEmpty",
        "narrowing zero_pivot",
        free=("x_3",),
        dimension=1,
        ranks=(2,),
    ),
    case(
        "free_variable_in_the_middle",
        [[[1, 2, 0], [2, 4, 1]]],
        [[0, 0]],
        ["identity"],
        [1, 3],
        "NonEmpty",
        "narrowing",
        free=("x_2",),
        dimension=1,
        ranks=(2,),
    ),
    case(
        "square_is_a_point",
        [[[2, 1], [1, 1]]],
        [[1, 0]],
        ["softplus"],
        [1, 2],
        "NonEmpty",
        "square",
        dimension=0,
        ranks=(2,),
    ),
    case(
        "widening_met",
        [[[1, 2], [3, 4], [5, 6]]],
        [[0, 0, 0]],
        ["identity"],
        [3, 7, 11],
        "NonEmpty",
        "widening",
        dimension=0,
        ranks=(2,),
    ),
    case(
        "widening_broken",
        [[[1, 2], [3, 4], [5, 6]]],
        [[0, 0, 0]],
        ["identity"],
        [3, 7, 12],
        "Empty",
        "widening empty",
        ranks=(2,),
        layer=1,
    ),
    case(
        "rank_deficient_met_through_logarithms",  # log 4 - 2 log 2 = 0, seen without rounding
        [[[1, 1], [2, 2]]],
        [[0, 0]],
        ["sigmoid"],
        ["2/3", "4/5"],
        "NonEmpty",
        "rank_deficient",
        free=("x_2",),
        dimension=1,
        ranks=(1,),
    ),
    case(
        "rank_deficient_broken",
        [[[1, 1], [2, 2]]],
        [[0, 0]],
        ["sigmoid"],
        ["2/3", "3/4"],
        "Empty",
        "rank_deficient empty",
        ranks=(1,),
        layer=1,
    ),
    case(
        "sigmoid_never_one",
        [[[1, 1]]],
        [[0]],
        ["sigmoid"],
        [1],
        "Empty",
        "saturated empty",
        ranks=(1,),
        layer=1,
    ),
    case(
        "softmax_shift_is_free",
        [[[1, 2, 0, -1], [0, 1, 1, 2], [2, 0, 1, 1]]],
        [[0, "1/2", "-1/2"]],
        ["softmax"],
        ["1/2", "1/4", "1/4"],
        "NonEmpty",
        "softmax narrowing",
        free=("x_4", "c"),
        dimension=2,
        ranks=(3,),
    ),
    case(
        "softmax_shift_has_a_pivot",  # W x = log y + c forces c: the third row is the sum of the others
        [[[1, 0], [0, 1], [1, 1]]],
        [[0, 0, 0]],
        ["softmax"],
        ["1/2", "1/4", "1/4"],
        "NonEmpty",
        "softmax widening",
        free=(),
        dimension=0,
        ranks=(3,),
    ),
    case(
        "off_the_simplex",
        [[[1, 0], [0, 1]]],
        [[0, 0]],
        ["softmax"],
        ["1/2", "1/4"],
        "Empty",
        "softmax empty",
        ranks=(2,),
        layer=1,
    ),
    case(
        "hidden_sum_too_large",  # a_1 + a_2 = 2 touches (0,1)^2 only at its corner: Motzkin, not Farkas
        [[[1, 2, 3], [0, 1, 1]], [[1, 1]]],
        [[0, 0], [0]],
        ["sigmoid", "identity"],
        [2],
        "Empty",
        "boundary_touch empty",
        ranks=(1, 2),
        layer=2,
    ),
    case(
        "hidden_sum_inside",
        [[[1, 2, 3], [0, 1, 1]], [[1, 1]]],
        [[0, 0], [0]],
        ["sigmoid", "identity"],
        ["3/2"],
        "NonEmpty",
        "narrowing deep",
        free=("a^{(1)}_2", "x_3"),
        dimension=2,
        ranks=(1, 2),
    ),
    case(
        "determined_hidden_unit_outside",
        [[[1, 1]], [[2]]],
        [[0], [0]],
        ["tanh", "identity"],
        [3],
        "Empty",
        "empty deep",
        ranks=(1, 1),
        layer=1,
    ),
    case(
        "far_witness",  # the logit of 1 - 2^-40 through a small weight: x = 2.8e4
        [[["1/1000"]], [[1]]],
        [[0], [0]],
        ["sigmoid", "identity"],
        ["1099511627775/1099511627776"],
        "NonEmpty",
        "square saturated deep",
        dimension=0,
        ranks=(1, 1),
    ),
    case(
        "relu_inside_one_pattern",
        [[[1, -1, 2], [0, 2, 1], [-1, 0, 1]], [[1, 1, -2]]],
        [[0, -1, "-1/2"], ["1/2"]],
        ["relu", "identity"],
        ["21/2"],
        "NonEmpty",
        "pattern narrowing",
        options={"at": [1, 2, 1]},
        free=("a^{(1)}_2", "x_3"),
        dimension=2,
        ranks=(1, 2),
    ),
    case(
        "relu_all_inactive_is_constant",
        [[[1, 0], [0, 1]], [[1, 1]]],
        [[0, 0], [3]],
        ["relu", "identity"],
        [3],
        "NonEmpty",
        "pattern rank_deficient",
        options={"pattern": [[0, 0], None]},
        free=("x_1", "x_2"),
        dimension=2,
        ranks=(0, 0),
    ),
    case(
        "relu_output_zero_is_a_half_space",
        [[[1, 1]]],
        [[-1]],
        ["relu"],
        [0],
        "NonEmpty",
        "pattern one_piece",
        free=("x_1", "x_2"),
        dimension=2,
        ranks=(0,),
    ),
    case(
        "relu_output_negative",
        [[[1, 1]]],
        [[-1]],
        ["relu"],
        [-1],
        "Empty",
        "pattern empty",
        ranks=(0,),
        layer=1,
    ),
    case(
        "outside_the_box",
        [[[1, 1]]],
        [[0]],
        ["identity"],
        [3],
        "Empty",
        "box empty",
        options={"box": [[0, 1], [0, 1]]},
        ranks=(1,),
        layer=1,
    ),
    case(
        "corner_of_the_box",  # closed, so the touch is a point
        [[[1, 1]]],
        [[0]],
        ["identity"],
        [2],
        "NonEmpty",
        "box boundary_touch",
        options={"box": [[0, 1], [0, 1]]},
        free=("x_2",),
        dimension=1,
        ranks=(1,),
    ),
    case(
        "leaky_relu_negative_side",
        [[[1, 1, 1], [1, -1, 0]]],
        [[0, 0]],
        ["leaky_relu(1/10)"],
        ["-1/10", 2],
        "NonEmpty",
        "narrowing",
        free=("x_3",),
        dimension=1,
        ranks=(2,),
    ),
]
