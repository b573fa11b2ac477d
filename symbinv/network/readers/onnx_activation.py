"""Activations of ONNX, by the names of our table; whether the table has one is asked when it is needed."""

from symbinv.errors import NotSupportedError
from symbinv.network.readers.named import named
from symbinv.network.readers.onnx_call import Call

# operator -> (name in our table, {its attribute: ONNX's default})
ACTIVATION_OPERATORS: dict[str, tuple[str, dict[str, float]]] = {
    "Relu": ("relu", {}),
    "LeakyRelu": ("leaky_relu", {"alpha": 0.01}),
    "PRelu": ("leaky_relu", {}),
    "Sigmoid": ("sigmoid", {}),
    "Tanh": ("tanh", {}),
    "Softplus": ("softplus", {}),
    "Softmax": ("softmax", {}),
    "LogSoftmax": ("log_softmax", {}),
    "Softsign": ("softsign", {}),
    "Elu": ("elu", {"alpha": 1.0}),
    "Celu": ("celu", {"alpha": 1.0}),
    "Selu": ("selu", {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}),
    "ThresholdedRelu": ("thresholded_relu", {"alpha": 1.0}),
    "HardSigmoid": ("hard_sigmoid", {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": ("hard_swish", {}),
    "Swish": ("silu", {"alpha": 1.0}),
    "Gelu": ("gelu", {}),
    "Mish": ("mish", {}),
    "Exp": ("exp", {}),
    "Log": ("log", {}),
    "Atan": ("arctan", {}),
    "Sin": ("sin", {}),
    "Cos": ("cos", {}),
    "Sinh": ("sinh", {}),
    "Asinh": ("arcsinh", {}),
    "Erf": ("erf", {}),
    "Abs": ("abs", {}),
    "Sign": ("sign", {}),
}


def activate(call: Call) -> None:
    """Apply a node that is an activation.

    Raises:
        NotSupportedError: Where our table has none of that name, or not with these parameters.
    """
    node = call.node
    name, defaults = ACTIVATION_OPERATORS[node.operator]
    if node.operator in ("Softmax", "LogSoftmax"):
        node.allow("axis")
        old = call.opset < 13
        axis = node.integer("axis", 1 if old else -1)
        call.trace.softmax(named(name, {}), axis, trailing=old)
        return
    if node.operator == "PRelu":
        call.first()
        node.allow()
        call.keep_shape(call.need(1))
        slopes = {call.trace.number(v) for v in call.need(1).ravel()}
        if len(slopes) != 1:
            raise NotSupportedError(f"its slopes must be equal, not {len(slopes)} different ones.")
        call.trace.activate(named(name, {"alpha": slopes.pop()}))
        return
    if node.operator == "Gelu":
        node.allow("approximate")
        if node.text("approximate", "none") != "none":
            raise NotSupportedError("an approximate Gelu is not supported.")
        call.trace.activate(named(name))
        return
    node.allow(*defaults)
    given = {key: call.number(key, value) for key, value in defaults.items()}
    call.trace.activate(named(name, {"scale" if key == "gamma" else key: value for key, value in given.items()}))
