"""replay: prove every step of a derivation again, from the steps before it and nothing else.

The walk takes the steps in order. Each must be of a kind that may stand there, and follow from what has been proved:
the layer's forward equations, its activation undone by the table's entry, its rows operated on as stated, its reduced
form by the matrix T that its right side shows, its pivots by back-substitution, what it hands to the layer below, and
at the end the verdict with its evidence. The first step that fails is named with what does not hold, and the walk
ends there. What is not proved: titles, notes and reasons, which are sentences for the reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from symbinv.derivation import steps
from symbinv.derivation.parametric_steps import CaseSolved, CaseTreeGiven, ClosedFormGiven
from symbinv.derivation.replay.claims import general_elimination, substitution
from symbinv.derivation.replay.equality import EXACT, Claim, Judge, weakest
from symbinv.derivation.replay.layer import LayerReplay
from symbinv.derivation.replay.parametric import CasesReplay, closed_form
from symbinv.derivation.replay.terms import Names, StepFailedError, need
from symbinv.derivation.replay.verdict import prove_verdict
from symbinv.derivation.serialise import fingerprint_of
from symbinv.derivation.steps import Derivation, Step
from symbinv.errors import SymbinvError
from symbinv.network.activation import Activation, activation
from symbinv.network.network import Layer, Network, to_box

MALFORMED = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError)


@dataclass(frozen=True)
class StepReplay:
    """One step after its replay.

    Attributes:
        number: From 1.
        kind: The step's class.
        layer: The layer it belongs to, or None.
        claim: What its proof rests on; None where it failed.
        failure: What does not hold, or "".
    """

    number: int
    kind: str
    layer: int | None
    claim: Claim | None
    failure: str = ""

    def __str__(self) -> str:
        where = f" of layer {self.layer}" if self.layer is not None else ""
        said = f"fails: {self.failure}" if self.claim is None else str(self.claim)
        return f"step {self.number}, {self.kind}{where}: {said}"


@dataclass(frozen=True)
class Replay:
    """The steps of a derivation after their replay, up to the first that fails.

    Attributes:
        steps: One entry a step; the last one failed where `holds` is False.
        network: The network that the derivation is about, as its steps state it; None for general derivations
            and where a step fails.
    """

    steps: tuple[StepReplay, ...]
    network: Network | None = None

    @property
    def failure(self) -> StepReplay | None:
        """The step that fails, or None."""
        return next((s for s in self.steps if s.claim is None), None)

    @property
    def holds(self) -> bool:
        """Whether every step was proved."""
        return self.failure is None

    @property
    def claim(self) -> Claim | None:
        """The weakest claim of all steps; None where one fails."""
        return weakest(s.claim for s in self.steps if s.claim is not None) if self.holds else None

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


def replay(derivation: Derivation) -> Replay:
    """Prove every step of a derivation from the steps before it.

    Requires: a derivation, made or read. Exact? Each step says: "exact" (rational arithmetic, expansion, the
    activation's proved rule), "certified" (ball arithmetic), "probabilistic (error < 2^-k)" (residues modulo random
    primes), "numeric". Complete? Yes: a derivation that lacks a step fails. Cost: linear in the depth.

    Example:
        >>> from symbinv.network.network import Network
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.derivation.derive import derive
        >>> derivation = derive(invert(Network.generic([3, 2], ["sigmoid"])))
        >>> replayed = replay(derivation)
        >>> replayed.holds, str(replayed.claim), len(replayed.steps) == len(derivation.steps)
        (True, 'exact', True)
        >>> print(replay(Derivation("cut", derivation.steps[:4] + derivation.steps[5:])).failure)
        step 5, RowsOperated of layer 1: fails: after SidesNamed must come Augmented
    """
    walk = _Walk()
    found: list[StepReplay] = []
    for number, step in enumerate(derivation.steps, start=1):
        kind, layer = type(step).__name__, getattr(step, "layer", None)
        try:
            claim = walk.take(step)
        except SymbinvError as error:
            return Replay((*found, StepReplay(number, kind, _known(layer, walk), None, str(error))))
        except MALFORMED as error:
            message = f"it is malformed ({type(error).__name__}: {str(error)[:100]})"
            return Replay((*found, StepReplay(number, kind, _known(layer, walk), None, message)))
        found.append(StepReplay(number, kind, layer, claim))
    allowed = walk.allowed()
    if None not in allowed:
        names = " or ".join(c.__name__ for c in allowed if c is not None)
        last = found[-1] if found else StepReplay(0, "Derivation", None, None)
        return Replay((*found[:-1], StepReplay(last.number, last.kind, last.layer, None, f"{names} must follow")))
    return Replay(tuple(found), walk.rebuilt)


def _known(layer: Any, walk: "_Walk") -> int | None:
    return layer if layer is not None and walk.layer is not None and walk.layer.index == layer else None


class _Walk:
    """What has been proved so far, and what may come next."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.previous: type | None = None
        self.network: steps.NetworkGiven | None = None
        self.activations: tuple[Activation, ...] = ()
        self.layers: list[LayerReplay] = []
        self.names = Names()
        self.closed: set[int] = set()
        self.cases: CasesReplay | None = None
        self.rebuilt: Network | None = None

    @property
    def layer(self) -> LayerReplay | None:
        """The layer that is being replayed."""
        return self.layers[-1] if self.layers else None

    def take(self, step: Step) -> Claim:
        """Prove one step."""
        allowed = self.allowed()
        if type(step) not in allowed:
            names = " or ".join("the end" if c is None else c.__name__ for c in allowed)
            before = "the beginning" if self.previous is None else self.previous.__name__
            raise StepFailedError(f"after {before} must come {names}")
        match step:
            case steps.NetworkGiven():
                claim = self._network(step)
            case steps.LayerGiven():
                claim = self._next_layer(step)
            case steps.VerdictGiven():
                claim = self._verdict(step)
            case steps.SubstitutionChecked():
                claim = substitution(step, self.layers, self.judge)
            case steps.GeneralElimination():
                claim = general_elimination(step, self.judge)
            case ClosedFormGiven():
                claim = self._closed_form(step)
            case CaseTreeGiven():
                self.cases, claim = CasesReplay(self.judge, self.names, step), EXACT
            case CaseSolved():
                claim = self._case(step)
            case _:
                if self.layer is None:
                    raise StepFailedError("it must belong to a layer")
                need(step.layer == self.layer.index, f"it must belong to layer {self.layer.index}, not {step.layer}")
                claim = _PROOFS[type(step)](self.layer, step)
        self.previous = type(step)
        return claim

    def allowed(self) -> tuple[type | None, ...]:
        """Return the kinds of step that may come next; None stands for the end."""
        if self.previous is None:
            return (steps.NetworkGiven, steps.GeneralElimination, CaseTreeGiven)
        if self.previous is steps.GeneralElimination:
            return (None,)
        if self.cases is not None:
            return (None if self.cases.is_complete else CaseSolved,)
        if self.previous is steps.NetworkGiven:
            return (steps.LayerGiven,)
        if self.previous in (steps.VerdictGiven, steps.SubstitutionChecked):
            return (steps.SubstitutionChecked, None)
        if self.layer is None:
            raise StepFailedError("it must belong to a layer")
        return _allowed_in(self.layer, self.previous)

    def _network(self, step: steps.NetworkGiven) -> Claim:
        depth = len(step.activations)
        need(depth > 0 and len(step.sizes) == depth + 1, "there must be one size more than activations")
        need(all(n > 0 for n in step.sizes), "sizes must be positive")
        need(len(step.target) == step.sizes[-1], f"the target must have {step.sizes[-1]} entries")
        need(len(step.pattern) == depth, f"the pattern must have {depth} entries")
        slopes = {s.name: s for s in step.parameters}
        self.activations = tuple(_activation(label, slopes) for label in step.activations)
        for label, f, units, m in zip(step.activations, self.activations, step.pattern, step.sizes[1:], strict=True):
            need(label == f.label, f"the activation must be written {f.label!r}, not {label!r}")
            if units is not None:
                parts = f.pieces or f.branches or ()
                need(bool(parts) and len(units) == m, f"the pattern must name a part of each unit of {label}")
                need(all(0 <= k < len(parts) for k in units), f"{label} does not have all parts named")
        if step.box is not None:
            to_box(step.box, step.sizes[0])
        need(not any(v.has(sympy.Float) for v in step.target), "the target must be exact")
        values = [v for f in self.activations for v in f.parameters.values() if isinstance(v, sympy.Symbol)]
        need(step.parameters == tuple(dict.fromkeys(values)), "the parameters must be the symbols of the activations")
        self.names.use(set(values).union(*(v.free_symbols for v in step.target)))
        self.network = step
        return Claim("exact")

    def _next_layer(self, step: steps.LayerGiven) -> Claim:
        if self.network is None:
            raise StepFailedError("NetworkGiven must come first")
        above = self.layer
        index = len(self.network.activations) if above is None else above.index - 1
        need(step.layer == index, f"it must be layer {index}, not {step.layer}")
        outputs: Sequence[sympy.Expr] = self.network.target if above is None else above.inputs
        layer = LayerReplay(self.judge, self.network, index, self.activations, outputs, self.names)
        claim = layer.given(step)
        self.layers.append(layer)
        return claim

    def _closed_form(self, step: ClosedFormGiven) -> Claim:
        layer = next((found for found in self.layers if found.index == step.layer), None)
        if layer is None or step.layer in self.closed:
            raise StepFailedError("it must belong to a layer that was solved before and has no closed form yet")
        self.closed.add(step.layer)
        return closed_form(step, layer, self.judge)

    def _case(self, step: CaseSolved) -> Claim:
        if self.cases is None:
            raise StepFailedError("CaseTreeGiven must come first")
        return self.cases.solved(step)

    def _verdict(self, step: steps.VerdictGiven) -> Claim:
        if self.network is None:
            raise StepFailedError("NetworkGiven must come first")
        first_to_last = self.layers[::-1]
        free = tuple(x for layer in self.layers for x in layer.free)
        need(step.free == free, "the free variables must be those of all layers, last layer first")
        pairs = zip(first_to_last, self.activations, strict=True)
        network = Network(tuple(Layer(layer.weights, layer.bias, f) for layer, f in pairs))
        claim = prove_verdict(
            step, network, self.network, [(layer.rank, len(layer.columns)) for layer in first_to_last]
        )
        same = fingerprint_of(network) == self.network.fingerprint
        need(same, "the weights and biases must be those of the network's fingerprint")
        self.rebuilt = network
        return claim


def _activation(label: str, symbols: Mapping[str, sympy.Symbol]) -> Activation:
    """Return the activation of a label, whose parameters may be symbols, as in leaky_relu(alpha=alpha)."""
    head, _, tail = label.removesuffix(")").partition("(")
    pairs = [part.strip().partition("=") for part in tail.split(",") if part.strip()]
    kept = {key: symbols[value] for key, equals, value in pairs if equals and value in symbols}
    numbers = ", ".join(f"{key}={value}" for key, _, value in pairs if key not in kept)
    return activation(f"{head}({numbers})", **kept) if kept else activation(label)


def _allowed_in(layer: LayerReplay, previous: type) -> tuple[type | None, ...]:
    """Return what may follow a step inside a layer."""
    start = steps.SidesNamed if layer.rows else steps.ConditionsStated
    end = steps.LayerGiven if layer.index > 1 else steps.VerdictGiven
    if previous is steps.LayerGiven:
        return (steps.ActivationUndone,)
    if previous is steps.ActivationUndone:
        return (start if layer.pieces is None and layer.curved is None else steps.BranchesTaken,)
    if previous is steps.BranchesTaken:
        return (start,)
    if previous is steps.SidesNamed:
        return (steps.Augmented,)
    if previous in (steps.Augmented, steps.RowsOperated):
        return (steps.RowsOperated, _after_elimination(layer))
    if previous is steps.RowsReduced:
        return (steps.LayerSolved,)
    if previous in (steps.PivotSolved, steps.PivotWrittenOut):
        if len(layer.solved) < layer.rank:
            return (steps.PivotSolved,)
        waiting = layer.written < len(layer.to_write_out)
        return (steps.PivotWrittenOut if waiting else steps.ConditionsStated,)
    if previous is steps.LayerSolved:
        return (steps.ConditionsStated,)
    if previous is steps.ConditionsStated and layer.bounded:
        return (steps.DomainStated,)
    return (ClosedFormGiven, end)


def _after_elimination(layer: LayerReplay) -> type:
    is_zero = layer.count_rows() == 0
    if layer.is_rational:
        return steps.LayerSolved if is_zero else steps.RowsReduced
    return steps.ConditionsStated if is_zero else steps.PivotSolved


_PROOFS: dict[type, Any] = {
    steps.ActivationUndone: LayerReplay.undone,
    steps.BranchesTaken: LayerReplay.branches,
    steps.SidesNamed: LayerReplay.sides,
    steps.Augmented: LayerReplay.augmented,
    steps.RowsOperated: LayerReplay.operated,
    steps.RowsReduced: LayerReplay.reduced,
    steps.LayerSolved: LayerReplay.layer_solved,
    steps.PivotSolved: LayerReplay.pivot_solved,
    steps.PivotWrittenOut: LayerReplay.written_out,
    steps.ConditionsStated: LayerReplay.conditions,
    steps.DomainStated: LayerReplay.domain,
}
