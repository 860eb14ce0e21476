import json
import pathlib

from tfanon.core import config
from tools import seeds


def run_of(folder, seed, top1):
    folder.mkdir()
    row = {"anonymizer": "f_A", "action_top1": top1, "action_chance": 0.125}
    (folder / "results.json").write_text(
        json.dumps({"schema_version": 1, "seed": seed, "rows": [row]})
    )
    return str(folder)


def test_mean_and_deviation_of_three_seeds(tmp_path, capsys):
    # .7, .8, .9: mean .8, sample deviation sqrt((.01 + 0 + .01) / 2) = .1.
    folders = [run_of(tmp_path / str(seed), seed, 0.7 + 0.1 * seed) for seed in range(3)]
    assert seeds.main(["", *folders]) == 0
    assert "| f_A | 80.0 \N{PLUS-MINUS SIGN} 10.0 |" in capsys.readouterr().out


def test_folds_may_share_a_seed(tmp_path, capsys):
    folders = [run_of(tmp_path / name, 0, top1) for name, top1 in (("ann", 0.6), ("bob", 0.8))]
    for folder in folders:
        name = pathlib.Path(folder).name
        config.write_flagfile(
            config.Config(workdir=folder, split_column=f"actor={name}"),
            pathlib.Path(folder) / "run.flags",
        )
    assert seeds.main(["", *folders]) == 0
    assert "| f_A | 70.0 \N{PLUS-MINUS SIGN} 14.1 |" in capsys.readouterr().out  # sqrt(.01 + .01)


def test_one_seed_twice_is_refused(tmp_path, capsys):
    folders = [run_of(tmp_path / name, 0, 0.5) for name in "ab"]
    assert seeds.main(["", *folders]) == 1
    assert "share seeds (0, 0)" in capsys.readouterr().err


def test_a_missing_run_is_named(tmp_path, capsys):
    assert seeds.main(["", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
