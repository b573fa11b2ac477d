"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

NetArgument = Annotated[Path, typer.Argument(metavar="NET", help="A network file: .json, .npz, .onnx, .nnet, ...")]
TargetOption = Annotated[str | None, typer.Option(help="Outputs, such as --target=0.8,0.2 or --target=4/5,1/5.")]
BoxOption = Annotated[
    str | None, typer.Option(help="Bounds of the inputs: lo,hi for all; lo,hi;lo,hi;... one pair each; or a file.")
]
AtOption = Annotated[str | None, typer.Option(help="An input whose activation pattern is taken (relu and its kin).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
FloatsOption = Annotated[
    bool, typer.Option("--floats", help="Take the target for floats: a softmax target is rescaled to sum to 1.")
]
MaxCellsOption = Annotated[int | None, typer.Option(help="Stop after so many cells of a preimage.")]
MaxSecondsOption = Annotated[float | None, typer.Option(help="Stop the search for cells after so many seconds.")]
WorkersOption = Annotated[int | None, typer.Option(help="Processes of a long search; one a core where left out.")]
OutOption = Annotated[Path | None, typer.Option(help="The file to write.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the draw.")]
PolicyOption = Annotated[str, typer.Option(help="What floats of the network stand for: exact or decimal.")]
