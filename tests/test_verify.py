"""`symbinv verify` on derivations: what holds, what does not, and whose network it is."""

import json

import pytest

import symbinv as si

from .test_cli import net, run  # noqa: F401


@pytest.fixture
def derivation(tmp_path, net):  # noqa: F811
    path = tmp_path / "d.json"
    path.write_text(si.derive(si.invert(si.load(net), ["0.8", "0.2"])).to_json())
    return path


def test_a_derivation_is_accepted_with_the_claim_of_each_step(run, derivation):  # noqa: F811
    status, out, _ = run("verify", derivation)
    assert status == 0
    assert "ActivationUndone  1      exact" in out
    assert "accepted: all 10 steps hold: exact" in out
    status, out, _ = run("verify", derivation, "--json")
    found = json.loads(out)
    assert (status, found["accepted"], found["claim"], len(found["steps"])) == (0, True, "exact", 10)


def test_a_tampered_derivation_is_refused_with_its_step(run, derivation):  # noqa: F811
    document = json.loads(derivation.read_text())
    document["steps"][4]["matrix"]["entries"][1][2] = "3/4"
    derivation.write_text(json.dumps(document))
    status, out, _ = run("verify", derivation)
    assert status == 1
    assert "refused: step 5, Augmented of layer 1: fails: the matrix must be the weights" in out
    status, out, _ = run("verify", derivation, "--json")
    found = json.loads(out)
    assert (status, found["accepted"], found["claim"]) == (1, False, None)
    assert found["steps"][-1]["kind"] == "Augmented"


def test_a_derivation_is_held_against_a_network(run, derivation, net):  # noqa: F811
    assert run("verify", derivation, "--network", net)[0] == 0
    net.write_text(net.read_text().replace("-0.4", "-0.41"))
    status, out, _ = run("verify", derivation, "--network", net)
    assert status == 1
    assert "not about the network" in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": "symbinv derivation"', "must be JSON"),
        ('{"format": "symbinv derivation", "version": 7}', "version 1"),
        ("\ud800", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_status_two(run, tmp_path, text, words):  # noqa: F811
    (tmp_path / "bad.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    status, _, err = run("verify", "bad.json")
    assert status == 2
    assert words in err
    assert err.count("\n") == 1


def test_a_certificate_takes_no_network(run, tmp_path, net):  # noqa: F811
    absolute = si.Network.from_arrays([[[1], [-1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
    certificate = si.preimage(absolute, "y_0 <= 1", box=[[-2, 2]]).certificate()
    (tmp_path / "proof.json").write_text(json.dumps(certificate))
    status, out, _ = run("verify", "proof.json", "--json")
    assert (status, json.loads(out)["accepted"]) == (0, True)
    assert run("verify", "proof.json", "--network", net)[0] == 2
