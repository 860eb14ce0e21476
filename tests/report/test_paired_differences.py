"""What one setting does, on numbers made up for the purpose."""

import fabricated_runs
import pytest

from tfanon.report import load_runs, paired_differences


def grid(folder, bounds, weights, change=None, seeds=(0, 1)):
    """Write runs over B and lambda: top-1 .9 - B, leakage .3 + B - lambda / 100 + .02 seed."""
    folders = []
    for bound in bounds:
        for weight in weights:
            for seed in seeds:
                folders.append(folder / f"B{bound:g}-lambda{weight:g}-seed{seed}")
                cmap = 0.7 + bound - weight / 100
                fabricated_runs.write_run(
                    folders[-1],
                    seed,
                    0.02 * seed,
                    (0.9 - bound, cmap - 0.1, cmap),
                    penalty_bound=bound,
                    penalty_weight=weight,
                    **(change or {}),
                )
    return load_runs.load_runs(folders)[0]


def test_pairs_differ_in_one_flag_and_in_nothing_else(tmp_path):
    table = paired_differences.make_difference_table(grid(tmp_path, (0.05, 0.1, 0.2), (1.0, 5.0)))
    arrow = "\N{RIGHTWARDS ARROW}"
    rows = {row[0]: row for row in table.rows}
    # B in two steps, never .05 to .2 at once: 2 lambdas x 2 seeds; lambda in one: 3 B x 2 seeds.
    assert {name: row[1] for name, row in rows.items()} == {
        f"B: 0.05 {arrow} 0.1": 4,
        f"B: 0.1 {arrow} 0.2": 4,
        f"\N{GREEK SMALL LETTER LAMDA}: 1 {arrow} 5": 6,
    }
    _, _, top1, leak, mean, fell = rows[f"B: 0.1 {arrow} 0.2"]
    assert top1.values == pytest.approx([-0.1] * 4) and leak.values == pytest.approx([0.1] * 4)
    assert mean.values == pytest.approx([0.1] * 4) and fell == "0 of 4"
    _, _, top1, leak, _, fell = rows[f"\N{GREEK SMALL LETTER LAMDA}: 1 {arrow} 5"]
    assert top1.mean == pytest.approx(0) and leak.mean == pytest.approx(-0.04) and fell == "6 of 6"


def test_runs_that_differ_in_two_flags_are_no_pair(tmp_path):
    ours = grid(tmp_path / "ours", (0.1,), (5.0,))
    theirs = grid(tmp_path / "theirs", (0.2,), (1.0,))
    assert (
        paired_differences.make_difference_table(ours + theirs) is None
        and paired_differences.make_difference_table(ours) is None
    )
