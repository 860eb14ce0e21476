import pytest

from tfanon.evaluation import leakage_table, runner


def make_entry(anonymizer="f_A", attacker="fresh", cmap=0.7, chance=0.4, **more):
    return {
        "anonymizer": anonymizer,
        "attacker": attacker,
        "network": "n",
        "start": "scratch",
        "probe": "images",
        "cmap": cmap,
        "cmap_chance": chance,
        "cmap_above_floor": cmap - chance,
        **more,
    }


def test_positive_control():
    # Half of the way from .4 to 1 is .7.
    control = runner.check_positive_control(make_entry(cmap=0.7), 0.5)
    assert control["passed"] and control["bound"] == pytest.approx(0.7)
    assert control["gate"] == "raw is read"
    assert not runner.check_positive_control(make_entry(cmap=0.69), 0.5)["passed"]
    assert runner.check_positive_control(make_entry(cmap=0.46), 0.1)["passed"]


def test_negative_control():
    control = runner.check_negative_control(make_entry(cmap=0.5, cmap_by_chance=[0.38, 0.52]))
    assert control["passed"] and control["bound"] == 0.52
    assert control["gate"] == "noise leaks nothing"
    control = runner.check_negative_control(make_entry(cmap=0.53, cmap_by_chance=[0.38, 0.52]))
    assert not control["passed"]


def make_results():
    reconstruction = {
        "anonymizer": "f_A",
        "attacker": "reconstruction",
        "network": "unet",
        "start": "scratch",
        "probe": "images",
        "psnr": 21.25,
        "ssim": 0.75,
        "ms_ssim": None,
    }
    identity = {
        "anonymizer": "f_A",
        "attacker": "identity",
        "network": "n",
        "start": "scratch",
        "probe": "clips",
        "identity_top1": 0.5,
        "identity_chance": 0.1,
    }
    attacks = [
        make_entry(cmap=0.7),
        make_entry(attacker="multi_frame", cmap=0.5),
        make_entry(attacker="frozen", cmap=0.1),
        reconstruction,
        identity,
    ]
    return {
        "actions": [
            {"anonymizer": "f_A", "network": "small3d", "action_top1": 0.9, "action_chance": 0.125}
        ],
        "attacks": attacks,
        "flicker": [{"anonymizer": "f_A", "flicker": -0.0123}],
        "gates": [runner.check_positive_control(make_entry(cmap=0.9), 0.5)],
        "notes": ["A note."],
    }


def test_largest_and_mean_leakage():
    # Above chance level .3 and .1 count: largest .3, mean .2; frozen, at -.3, is left out. The
    # attributes of clips are others.
    attacks = [*make_results()["attacks"], make_entry(probe="clips", cmap=0.9)]
    images = leakage_table.compute_max_and_mean(attacks, "f_A", "images")
    assert images == (pytest.approx(0.3), pytest.approx(0.2))
    clips = leakage_table.compute_max_and_mean(attacks, "f_A", "clips")
    assert clips == (pytest.approx(0.5), pytest.approx(0.5))
    assert leakage_table.compute_max_and_mean([], "f_A", "images") == (None, None)


def test_table():
    text = leakage_table.format_leakage_table(make_results())
    header, rule, *lines = text.splitlines()
    assert header.split() == ["f_A"] and set(rule) == {"-"}
    assert [" ".join(line.split()) for line in lines] == [
        "action top-1, small3d (chance 12.5) 90.0",
        "fresh, n, images 30.0",
        "multi_frame, n, images 10.0",
        "frozen, n, images -30.0",
        "identity, n, clips 40.0",
        "largest leakage of attributes of images, without frozen 30.0",
        "mean leakage of attributes of images, without frozen 20.0",
        "reconstruction, unet, images: PSNR dB 21.2",
        "reconstruction, unet, images: SSIM 0.750",
        "flicker -1.23",
        "",
        "passed: positive control (raw video): fresh, n, images: cMAP 90.0, must be at least 70.0",
        "A note.",
    ]


def test_failed_control_is_shown():
    control = runner.check_positive_control(make_entry(cmap=0.5), 0.5)
    failed = make_results() | {"gates": [control]}
    assert (
        "DO NOT TRUST THIS REPORT. Failed controls: positive control (raw video): fresh, images."
        in leakage_table.format_leakage_table(failed)
    )
    assert leakage_table.describe_failed_controls(make_results()) == ""
