import dataclasses

import helpers
import pytest

from tfanon import phases
from tfanon.config import Config


class Probes:
    probes = {"images": None}


def run(**settings):
    return phases.Run(Config(**settings), Probes(), None)


def test_the_phases_in_their_order():
    assert run(baselines=("blur",)).names() == [
        "initialise", "anonymize", "action-blur", "privacy-images-blur", "action-f_A", "privacy-images-f_A"]
    assert run(baselines=("raw",), warm_action=True).names() == [
        "initialise", "action-raw", "anonymize", "privacy-images-raw", "action-f_A", "privacy-images-f_A"]


def test_a_finished_phase_gives_its_network_back(tmp_path):
    phase = run(workdir=str(tmp_path)).phase("initialise")
    assert phase.result() is None
    network = helpers.judge(2, 3)
    phase.finish(network, {"score": 0.5})
    other = helpers.judge(2, 3)
    assert phase.result(other) == {"score": 0.5}
    assert helpers.same([w.numpy() for w in network.weights[:6]], [w.numpy() for w in other.weights[:6]])
    assert [path.name for path in sorted(phase.folder.iterdir())] == ["done.json", "network.weights.h5"]


def test_first_weights_follow_from_seed_and_phase_alone():
    def drawn(seed, name):
        run(seed=seed).seeded(name)
        return helpers.judge(2, 3).weights[0].numpy().tolist()

    assert drawn(0, "action") == drawn(0, "action")
    assert drawn(0, "action") != drawn(1, "action") and drawn(0, "action") != drawn(0, "anonymize")


def test_the_rate_rises_and_falls(tmp_path):
    # 10 epochs of 10 steps, 1 of warm-up: the rate is at its peak at step 10 and at zero at step 100.
    config = dataclasses.replace(Config(), warmup_epochs=1, workdir=str(tmp_path))
    plan = run(workdir=str(tmp_path)).phase("initialise").plan(80, 8, 10)
    rate = phases.cosine(0.2, plan, config)
    assert float(rate(0)) == pytest.approx(0.002)
    assert float(rate(10)) == pytest.approx(0.2)
    assert float(rate(55)) == pytest.approx(0.1)
    assert float(rate(100)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("precision, kind", [("float32", "Adam"), ("mixed_float16", "LossScaleOptimizer")])
def test_float16_scales_its_losses(precision, kind):
    assert type(phases.make_optimizer(Config(precision=precision), 1e-3)).__name__ == kind
