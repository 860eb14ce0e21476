import json
import pathlib

from tfanon.core import config
from tools import seeds


def write_results(folder: pathlib.Path, seed: int, top1: float) -> str:
    folder.mkdir()
    row = {"anonymizer": "f_A", "action_top1": top1, "action_chance": 0.125}
    results = {"schema_version": 1, "seed": seed, "rows": [row]}
    (folder / "results.json").write_text(json.dumps(results))
    return str(folder)


def test_mean_and_deviation_of_three_seeds(tmp_path, capsys):
    # .7, .8, .9: mean .8, sample deviation sqrt((.01 + 0 + .01) / 2) = .1.
    folders = [write_results(tmp_path / str(seed), seed, 0.7 + 0.1 * seed) for seed in range(3)]
    assert seeds.main(["", *folders]) == 0
    assert "| f_A | 80.0 \N{PLUS-MINUS SIGN} 10.0 |" in capsys.readouterr().out


def test_folds_may_have_the_same_seed(tmp_path, capsys):
    folders = []
    for actor, top1 in (("ann", 0.6), ("bob", 0.8)):
        folder = write_results(tmp_path / actor, 0, top1)
        run_config = config.Config(workdir=folder, split_column=f"actor={actor}")
        config.write_flagfile(run_config, pathlib.Path(folder) / "run.flags")
        folders.append(folder)
    assert seeds.main(["", *folders]) == 0
    assert "| f_A | 70.0 \N{PLUS-MINUS SIGN} 14.1 |" in capsys.readouterr().out  # sqrt(.01 + .01)


def test_runs_with_the_same_seed_are_refused(tmp_path, capsys):
    folders = [write_results(tmp_path / name, 0, 0.5) for name in "ab"]
    assert seeds.main(["", *folders]) == 1
    assert "share seeds (0, 0)" in capsys.readouterr().err


def test_missing_run_is_named(tmp_path, capsys):
    assert seeds.main(["", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
