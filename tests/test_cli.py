"""The command line as a person meets it: exit status, one line for misuse, files whole or absent."""

import json
import subprocess
import sys

import pytest

PAPER = {
    "layers": [{"W": [["0.8", "-0.5", "0.3"], ["-0.4", "0.9", "0.6"]], "b": ["0.1", "-0.2"], "activation": "sigmoid"}]
}


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "paper.json"
    path.write_text(json.dumps(PAPER))
    return path


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command line in this process; return (status, stdout, stderr)."""
    from symbinv.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["symbinv", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


def test_the_demo_writes_its_files(run, tmp_path):
    status, out, _ = run("demo", "--out", "d")
    assert status == 0
    for name in ("paper", "iris"):
        for suffix in (".tex", ".npz", ".csv", ".png", "-pairs.png"):
            assert (tmp_path / "d" / f"{name}{suffix}").stat().st_size > 500
    assert "layer  shape  rank" in out
    assert "not empty (exact)" in out
    assert "not empty (certified)" in out


def test_inspect_prints_the_layers(run, net):
    status, out, _ = run("inspect", net)
    assert (status, "sizes 3 -> 2" in out, "sigmoid" in out) == (0, True, True)
    status, out, _ = run("inspect", net, "--json")
    found = json.loads(out)
    assert found["sizes"] == [3, 2]
    (layer,) = found["layers"]
    assert layer["shape"] == [2, 3] and layer["rank"] == 2
    assert layer["condition number"] == pytest.approx(1.811353, abs=1e-6)  # np.linalg.cond


def test_inspect_has_null_for_an_infinite_condition_number(run, tmp_path):
    (tmp_path / "flat.json").write_text('{"layers": [{"W": [[1, 2], [2, 4]], "b": [0, 0], "activation": "relu"}]}')
    status, out, _ = run("inspect", "flat.json", "--json")
    assert status == 0 and json.loads(out)["layers"][0]["condition number"] is None
    assert " inf" in run("inspect", "flat.json")[1]


def test_derive_writes_latex_and_says_what_it_found(run, net, tmp_path):
    status, out, _ = run("derive", net, "--target=0.8,1/5", "--out", "paper.tex")
    assert status == 0
    assert "target: (4/5, 1/5)" in out
    assert (tmp_path / "paper.tex").read_text().startswith(r"\documentclass")
    status, out, _ = run("derive", "--sizes", "4,3,2", "--activation", "tanh,sigmoid", "--json")
    assert status == 0
    assert json.loads(out)["free_variables"] == ["a^{(1)}_3", "x_4"]


def test_derive_takes_the_choice_of_pivots_branches_and_symbolic_slopes(run, net):
    chosen = run("derive", net, "--target=0.8,0.2", "--free", "x_1", "--json")
    assert json.loads(chosen[1])["free_variables"] == ["x_1"]
    ordered = run("derive", "--sizes", "4,3,2", "--order", "a^{(1)}_3,x_4", "--json")
    assert json.loads(ordered[1])["free_variables"] == ["a^{(1)}_2", "x_3"]
    fewest = run("derive", "--sizes", "3,2", "--activation", "softmax", "--strategy", "fewest_provisos", "--json")
    assert len(json.loads(fewest[1])["assumptions"]) == 1
    branches = run("derive", "--sizes", "3,2,2", "--activation", "silu,elu(alpha)", "--pattern", "left,right;-")
    assert branches[0] == 0 and "a^{(1)}_1 in [≈-0.278465, 0)" in branches[1]
    wrong = run("derive", net, "--target=0.8,0.2", "--free", "x_9")
    assert wrong[0] == 2 and "free must name variables of the layers (x_1, x_2, x_3)" in wrong[2]


def test_an_empty_answer_ends_with_status_one(run, net):
    status, out, _ = run("derive", net, "--target=1,0.5")
    assert status == 1
    assert "empty (exact)" in out
    assert run("sample", net, "--target=1,0.5", "--method", "random")[0] == 1


def test_sample_and_plot(run, net, tmp_path):
    status, out, _ = run("sample", net, "--target=0.8,0.2", "--method", "sobol", "--count", 64, "--out", "p.npz")
    assert status == 0
    assert "drawn 64, valid 64" in out
    assert run("plot", "p.npz", "--out", "p.png", "--inputs", "1,3")[0] == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    status, out, _ = run("sample", net, "--target=-1,0.2", "--method", "random", "--json")
    assert status == 1
    status, out, _ = run(
        "plot", net, "--target=0.8,0.2", "--box=-3,3", "--pairs", "--count", 300, "--out", "q.svg", "--json"
    )
    assert json.loads(out)["valid"] > 0


def test_a_softmax_target_copied_from_a_print_is_taken_for_floats_on_request(run, tmp_path):
    layer = {"W": [[1, 2], [0, 1], [1, 0]], "b": [0, 0, 0], "activation": "softmax"}
    (tmp_path / "soft.json").write_text(json.dumps({"layers": [layer]}))
    status, out, _ = run("derive", "soft.json", "--target=0.1,0.2,0.7000000000000001")
    assert status == 1
    assert "Given as floats, it would be rescaled" in out
    status, out, _ = run("derive", "soft.json", "--target=0.1,0.2,0.7000000000000001", "--floats")
    assert status == 0
    assert "rescaled to sum to 1" in out


def test_a_folder_takes_blocks_and_a_second_run_finishes_at_once(run, net, tmp_path):
    arguments = ("sample", net, "--target=0.8,0.2", "--box=-3,3", "--count", 500, "--out", "blocks")
    status, out, _ = run(*arguments)
    assert status == 0
    assert "wrote 500 points" in out
    before = {p.name: p.read_bytes() for p in (tmp_path / "blocks").glob("block-*")}
    assert run(*arguments)[0] == 0
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "blocks").glob("block-*")}


def test_preimage_writes_a_certificate_that_verify_accepts(run, tmp_path):
    relu = {"layers": [{"W": [[1], [-1]], "b": [0, 0], "activation": "relu"}, {"W": [[1, 1]], "b": [0]}]}
    relu["layers"][1]["activation"] = "identity"
    (tmp_path / "abs.json").write_text(json.dumps(relu))
    status, out, _ = run("preimage", "abs.json", "--target", "y_0 <= 1", "--box=-2,2", "--out", "proof.json")
    assert status == 0
    assert "volume: 2" in out
    assert run("verify", "proof.json")[0] == 0
    proof = json.loads((tmp_path / "proof.json").read_text())
    proof["nodes"][3] = ["cell", ["3/2"]]  # a point outside its cell
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    assert run("verify", "proof.json")[0] == 1
    status, out, _ = run("preimage", "abs.json", "--target", "y_0 <= 1", "--box=-2,2", "--max-cells", "1")
    assert status == 3 and "% of the box is searched" in out and "of the cells found" in out
    status, out, err = run("preimage", "abs.json", "--target", "argmax")
    assert status == 2 and "(^ in 'argmax^')" in err
    status, out, _ = run("preimage", "abs.json", "--target=-1", "--box=-2,2", "--json")
    assert status == 1
    assert json.loads(out)["verdict"]["kind"] == "empty"


def test_preimage_refuses_what_it_would_not_use(run, tmp_path):
    (tmp_path / "abs.json").write_text('{"layers": [{"W": [[1]], "b": [0], "activation": "relu"}]}')
    status, out, err = run("preimage", "abs.json", "--spec", "p.vnnlib", "--box=0,1", "--picture", "p.png")
    assert (status, out) == (2, "")
    assert "--box, --picture cannot be given with --spec" in err
    for option in ("--max-seconds=nan", "--max-cells=-1"):
        status, out, err = run("preimage", "abs.json", "--target", "y_0 >= 1", option)
        assert (status, out) == (2, "")
        assert "must be at least 0" in err
    status, _, err = run("preimage", "abs.json", "--target", "y_0 >= 1", "--box=-0.5")
    assert status == 2
    assert "'-0.5': No such file or directory." in err
    status, out, _ = run("preimage", "abs.json", "--target", "y_0 <= -1", "--box=-1,1")
    assert status == 1
    assert "1 branches" not in out


def test_preimages_are_drawn_and_have_no_volume_in_many_inputs(run, tmp_path):
    wide = {"layers": [{"W": [[1] * 9], "b": [0], "activation": "relu"}]}
    (tmp_path / "wide.json").write_text(json.dumps(wide))
    status, out, _ = run("preimage", "wide.json", "--target", "y_0 >= 1", "--box=0,1", "--picture", "slice.png")
    assert status == 0 and "not computed in 9 inputs" in out and "x_9 in [0, 1]" in out
    assert (tmp_path / "slice.png").read_bytes().startswith(b"\x89PNG")
    status, out, _ = run("preimage", "wide.json", "--target", "y_0 >= 1", "--box=0,1", "--json")
    assert status == 0 and json.loads(out)["volume"] is None


@pytest.mark.parametrize("box", ["-3,3", "-3,3;-3,3;-3,3", "box.txt"])
def test_a_box_is_one_pair_or_a_pair_each_or_a_file(run, net, tmp_path, box):
    (tmp_path / "box.txt").write_text("-3,3\n-3,3\n-3,3\n")
    status, out, _ = run("sample", net, "--target=0.8,0.2", f"--box={box}", "--count", 10, "--method", "project")
    assert status == 0
    assert "valid 10" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bogus"], "No such command"),
        (["inspect"], "Missing argument"),
        (["inspect", "absent.json"], "absent.json"),
        (["sample", "NET"], "--target="),
        (["sample", "NET", "--target=0.8"], "one entry per output"),
        (["sample", "NET", "--target=0.8,x);import os"], "number must look like"),
        (["sample", "NET", "--target=nan,0.5"], "number must look like"),
        (["sample", "NET", "--target=0.8,0.2", "--method", "magic"], "method must be one of"),
        (["sample", "NET", "--target=0.8,0.2", "--out", "p.xlsx", "--method", "random"], ".npz or .csv"),
        (["sample", "NET", "--target=0.8,0.2", "--box=1,2,3"], "lo,hi"),
        (["sample", "NET", "--target=0.8,0.2", "--count", "many"], "--count"),
        (["derive", "--sizes", "3,0"], "positive integers"),
        (["derive", "--sizes", "3,2", "--activation", "swoosh"], "activation must be one of"),
        (["derive", "NET", "--out", "x.doc"], ".tex"),
        (["derive"], "either a network file or --sizes"),
        (["plot", "NET"], "paper.json"),
        (["inspect", "broken.json"], "broken.json"),
        (["inspect", "short.npz"], "short.npz"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_misuse_is_one_line_and_status_two(run, net, tmp_path, arguments, words):
    (tmp_path / "broken.json").write_text('{"layers": [{"W": [[1, 2')
    (tmp_path / "short.npz").write_bytes(b"PK\x03\x04")
    status, _, err = run(*(net if a == "NET" else a for a in arguments))
    assert status == 2
    assert words in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_the_command_is_installed():
    done = subprocess.run([sys.executable, "-m", "symbinv.cli", "--help"], capture_output=True, text=True, check=True)
    assert "derive" in done.stdout


RELU = {
    "layers": [
        {"W": [[1, 0], [0, 1]], "b": [0, 0], "activation": "relu"},
        {"W": [[1, -1], [0, 1]], "b": [0, 0], "activation": "identity"},
    ]
}


def test_a_condition_on_a_relu_network_is_sampled_into_a_file_and_a_folder(run, tmp_path):
    path = tmp_path / "relu.json"
    path.write_text(json.dumps(RELU))
    status, out, _ = run("sample", path, "--target", "argmax == 0", "--box=-1,1", "--count", "500", "--out", "a.csv")
    assert status == 0 and "exact volume" in out and len((tmp_path / "a.csv").read_text().splitlines()) == 501
    status, out, _ = run("sample", path, "--target", "argmax == 0", "--box=-1,1", "--count", "500", "--out", "blocks")
    assert status == 0 and "wrote 500 points in 1 blocks" in out
    status, out, _ = run("sample", path, "--target", "1/2,1/4", "--box=-1,1", "--json")
    assert status == 0 and json.loads(out)["points"] == 1
    status, out, _ = run("sample", path, "--target", "1/2,1/4", "--box=-1,1", "--at", "3/4,1/4", "--json")
    assert status == 0 and json.loads(out)["points"] == 1
    status, out, _ = run("sample", path, "--target", "y_1 < 0", "--box=-1,1")
    assert status == 1 and "empty" in out
    status, out, err = run("sample", path, "--target", "y_0 > 1")
    assert status == 2 and "unbounded" in err and len(err.strip().splitlines()) == 1
    status, out, _ = run("sample", path, "--target", "y_0 > 0", "--box=-1,1", "--max-cells", "1", "--count", "9")
    assert status == 3 and "cells found so far" in out


def test_a_smooth_network_is_sampled_from_a_given_input(run, net, tmp_path):
    status, out, _ = run(
        "sample", net, "--target=0.5,0.5", "--box=-3,3", "--at", "0,0,0", "--count", "10", "--out", "points"
    )
    assert status == 2
    status, out, _ = run("sample", net, "--target=0.5,0.5", "--box=-3,3", "--count", "10", "--out", "points")
    assert status == 0 and "wrote 10 points" in out
