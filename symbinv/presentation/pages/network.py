"""What is said at the beginning and at the end: the network, the output asked for, and the result."""

from collections.abc import Sequence

from symbinv.derivation.steps import NetworkGiven, VerdictGiven
from symbinv.inverse.verdict import Empty, NonEmpty
from symbinv.presentation.mathtext import round_number
from symbinv.presentation.pages.blocks import Math, Piece
from symbinv.presentation.pages.layers import activation_name
from symbinv.presentation.pages.page import Page, entries, equals, listing, sentence

CLAIMS = {
    "exact": "which exact arithmetic shows",
    "certified": "which ball arithmetic certifies",
    "numeric": "as far as floating point can tell",
}
DIMENSIONS = {
    "exact": "The preimage has dimension {}.",
    "certified": "The preimage has dimension {}, which ball arithmetic certifies.",
    "upper bound": "The preimage has dimension {} at most.",
    "generic": "For generic values of the symbols the preimage has dimension {}.",
}
NOISE = 1e-12  # an entry of a point is shown as 0 where it is that small beside the others


def write_network(step: NetworkGiven, page: Page) -> None:
    """Say what is inverted, and for which output."""
    page.depth, page.activations = len(step.activations), step.activations
    printer = page.printer()
    target = entries([printer.doprint(e) for e in step.target])
    sizes = Math(r" \to ".join(map(str, step.sizes)))
    kinds = _runs(step.activations)
    if page.depth == 1:
        which: tuple[Piece, ...] = ("A single layer with the activation ", *kinds[0])
    elif len(set(step.activations)) == 1:
        same = activation_name(step.activations[0])
        which = (f"A network of {page.depth} layers, of sizes ", sizes, ", all with the activation ", *same, ",")
    else:
        which = (f"A network of {page.depth} layers, of sizes ", sizes, ", with the activations ", *_joined(kinds), ",")
    given = all(e.is_Symbol for e in step.target)
    page.say(
        *which,
        " takes the input ",
        Math(f"x = ({_ends('x', step.sizes[0])})"),
        " to the output ",
        Math(f"y = ({_ends('y', step.sizes[-1])})"),
        ". We derive all inputs ",
        Math("x"),
        " whose output is ",
        *(("a given ", Math("y")) if given else (Math(f"y {equals(printer)} ({target})"),)),
        ", from the last layer down to the first." if page.depth > 1 else ".",
        *(f" {sentence(note)}" for note in step.notes),
    )
    page.define("x_{j}", *_counted("input", "j", step.sizes[0]))
    page.define("y_{i}", *_counted("output", "i", step.sizes[-1]))


def _ends(letter: str, count: int) -> str:
    if count < 4:
        return entries([f"{letter}_{{{i + 1}}}" for i in range(count)])
    return entries([f"{letter}_{{1}}", r"\dots", f"{letter}_{{{count}}}"])


def _counted(what: str, index: str, count: int) -> tuple[Piece, ...]:
    shown = ", ".join(f"{i + 1}" for i in range(count)) if count < 4 else rf"1, \dots, {count}"
    return (f"{what} ", Math(index), ", ", Math(f"{index} = {shown}"))


def _joined(kinds: Sequence[tuple[Piece, ...]]) -> tuple[Piece, ...]:
    marks = list(listing([str(i) for i in range(len(kinds))]))
    return tuple(p for i, mark in enumerate(marks) for p in (kinds[i // 2] if i % 2 == 0 else (mark,)))


def _runs(names: Sequence[str]) -> list[tuple[Piece, ...]]:
    """Return names with repetitions counted: sigmoid (59 layers), softmax."""
    runs: list[tuple[str, int]] = []
    for name in names:
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + 1)
        else:
            runs.append((name, 1))
    return [(*activation_name(name), *([] if count == 1 else [f" ({count} layers)"])) for name, count in runs]


def write_verdict(step: VerdictGiven, page: Page) -> None:
    """State the result: free variables, dimension, and whether the preimage is empty."""
    page.layer = None
    page.heading(2, "Result")
    verdict = step.verdict
    if isinstance(verdict, Empty):
        pieces: list[Piece] = [f"The preimage is empty, {CLAIMS[verdict.claim]}. {sentence(verdict.reason)}"]
        if verdict.nearest is not None:
            pieces += [" The nearest attainable target is about ", Math(round_number(verdict.nearest)), " away."]
        page.say(*pieces)
        return
    free = [page.printer().doprint(s) for s in step.free]
    if not free:
        opening: tuple[Piece, ...] = ("There is no free variable. ",)
    elif len(free) == 1:
        opening = ("The free variable is ", Math(free[0]), ". ")
    else:
        opening = (f"There are {len(free)} free variables, ", Math(entries(free)), ". ")
    size = DIMENSIONS[step.dimension_claim].format(step.dimension)
    if isinstance(verdict, NonEmpty):
        scale = max((abs(float(v)) for v in verdict.witness), default=0.0)
        point = entries([round_number(v if abs(float(v)) > NOISE * scale else 0) for v in verdict.witness])
        how = "" if verdict.claim == "exact" else f", {CLAIMS[verdict.claim]}"
        if verdict.claim == step.dimension_claim == "certified":
            size, how = DIMENSIONS["exact"].format(step.dimension), ". Ball arithmetic certifies both"
        ending: tuple[Piece, ...] = (
            " It is not empty: one of its points is ",
            Math(rf"x \approx ({point})"),
            f"{how}.",
        )
    elif step.dimension_claim == "generic":
        ending = (" Whether it is empty depends on the values of the symbols.",)
    else:
        ending = (f" Whether it is empty is not decided: {sentence(verdict.reason)}",)
    page.say(*opening, size, *ending)
