import pytest

from tfanon.evaluation import leakage_table, runner


def entry(anonymizer="f_A", attacker="fresh", cmap=0.7, chance=0.4, **more):
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


def test_raw_must_be_read():
    # Half of the way from .4 to 1 is .7.
    gate = runner.check_positive_control(entry(cmap=0.7), 0.5)
    assert gate["passed"] and gate["bound"] == pytest.approx(0.7) and gate["gate"] == "raw is read"
    assert not runner.check_positive_control(entry(cmap=0.69), 0.5)["passed"]
    assert runner.check_positive_control(entry(cmap=0.46), 0.1)["passed"]


def test_noise_must_leak_nothing():
    gate = runner.check_negative_control(entry(cmap=0.5, cmap_by_chance=[0.38, 0.52]))
    assert gate["passed"] and gate["bound"] == 0.52
    assert not runner.check_negative_control(entry(cmap=0.53, cmap_by_chance=[0.38, 0.52]))[
        "passed"
    ]


def results():
    attacks = [
        entry(cmap=0.7),
        entry(attacker="multi_frame", cmap=0.5),
        entry(attacker="frozen", cmap=0.1),
        {
            "anonymizer": "f_A",
            "attacker": "reconstruction",
            "network": "unet",
            "start": "scratch",
            "probe": "images",
            "psnr": 21.25,
            "ssim": 0.75,
            "ms_ssim": None,
        },
        {
            "anonymizer": "f_A",
            "attacker": "identity",
            "network": "n",
            "start": "scratch",
            "probe": "clips",
            "identity_top1": 0.5,
            "identity_chance": 0.1,
        },
    ]
    return {
        "actions": [
            {"anonymizer": "f_A", "network": "small3d", "action_top1": 0.9, "action_chance": 0.125}
        ],
        "attacks": attacks,
        "flicker": [{"anonymizer": "f_A", "flicker": -0.0123}],
        "gates": [runner.check_positive_control(entry(cmap=0.9), 0.5)],
        "notes": ["A note."],
    }


def test_most_and_mean():
    # Above the floor .3 and .1 count: most .3, mean .2; frozen, at -.3, is for comparison only.
    attacks = [
        *results()["attacks"],
        entry(probe="clips", cmap=0.9),
    ]  # the clips' attributes are others
    assert leakage_table.compute_max_and_mean(attacks, "f_A", "images") == (
        pytest.approx(0.3),
        pytest.approx(0.2),
    )
    assert leakage_table.compute_max_and_mean(attacks, "f_A", "clips") == (
        pytest.approx(0.5),
        pytest.approx(0.5),
    )
    assert leakage_table.compute_max_and_mean([], "f_A", "images") == (None, None)


def test_the_table():
    lines = [
        " ".join(line.split())
        for line in leakage_table.format_leakage_table(results()).splitlines()
    ]
    assert lines[2:] == [
        "action top-1, small3d (chance 12.5) 90.0",
        "fresh, n, images 30.0",
        "multi_frame, n, images 10.0",
        "frozen, n, images -30.0",
        "identity, n, clips 40.0",
        "MOST that an attacker reads of attributes of images 30.0",
        "mean of the attackers of images, without frozen 20.0",
        "reconstruction, unet, images: PSNR dB 21.2",
        "reconstruction, unet, images: SSIM 0.750",
        "flicker -1.23",
        "",
        "passed: raw is read (fresh, n, images): cMAP 90.0, at least 70.0",
        "A note.",
    ]


def test_a_failed_gate_is_said():
    failed = results() | {"gates": [runner.check_positive_control(entry(cmap=0.5), 0.5)]}
    assert (
        "THIS REPORT IS NOT TO BE TRUSTED: these gates failed: raw is read (fresh, images)."
        in leakage_table.format_leakage_table(failed)
    )
    assert leakage_table.describe_failed_controls(results()) == ""
