"""The printed table, character by character."""

import copy

import pytest

from tfanon.summaries import results_table

RESULTS = {
    "schema_version": 1,
    "rows": [
        {
            "anonymizer": "raw",
            "action_top1": 0.9,
            "action_interval": [0.8, 0.95],
            "action_chance": 1 / 6,
            "images": {
                "cmap": 0.95,
                "cmap_interval": [0.9, 0.97],
                "cmap_chance": 0.5,
                "cmap_above_floor": 0.45,
                "f1": 0.9,
                "f1_chance": 2 / 3,
                "f1_above_floor": 0.2333,
                "average_precision": {"hat": 0.95},
            },
        },
        {
            "anonymizer": "unetpp",
            "action_top1": 0.7,
            "action_interval": [0.6, 0.8],
            "action_chance": 1 / 6,
            "images": {
                "cmap": 0.55,
                "cmap_interval": [0.5, 0.6],
                "cmap_chance": 0.5,
                "cmap_above_floor": 0.05,
                "f1": float("nan"),
                "f1_chance": 2 / 3,
                "f1_above_floor": -0.06667,
            },
        },
    ],
}


TABLE = f"""\
anonymizer       action top-1 ↑               cMAP ↓  above chance ↓  F1 ↓  above chance ↓
{"-" * 90}
raw         90.0 (80.0 to 95.0)  95.0 (90.0 to 97.0)            45.0  90.0            23.3
unetpp      70.0 (60.0 to 80.0)  55.0 (50.0 to 60.0)             5.0     -            -6.7
{"-" * 90}
chance                     16.7                 50.0               -  66.7               -"""


def test_table_for_a_terminal():
    assert results_table.format_table(RESULTS) == TABLE


def test_table_for_the_readme():
    assert results_table.format_markdown(RESULTS).splitlines() == [
        "| anonymizer | action top-1 ↑ | cMAP ↓ | above chance ↓ | F1 ↓ | above chance ↓ |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| raw | 90.0 | 95.0 | 45.0 | 90.0 | 23.3 |",
        "| unetpp | 70.0 | 55.0 | 5.0 | - | -6.7 |",
        "| chance | 16.7 | 50.0 | - | 66.7 | - |",
    ]


def test_second_privacy_task_has_its_own_columns():
    results = copy.deepcopy(RESULTS)
    results["rows"][1]["clips"] = {
        "cmap": 0.8,
        "cmap_above_floor": 0.6,
        "cmap_chance": 0.2,
        "f1": 0.7,
    }
    head, _, raw, unetpp, chance = results_table.format_markdown(results).splitlines()
    assert "| images: cMAP ↓ |" in head
    assert head.endswith("| clips: cMAP ↓ | above chance ↓ | clips: F1 ↓ | above chance ↓ |")
    assert raw.endswith("| - | - | - | - |")
    assert unetpp.endswith("| 80.0 | 60.0 | 70.0 | - |")
    assert chance.endswith("| 20.0 | - | - | - |")


def test_without_privacy_tasks_only_the_action_is_shown():
    results = {
        "schema_version": 1,
        "rows": [{"anonymizer": "raw", "action_top1": 0.5, "action_chance": 0.25}],
    }
    assert results_table.format_markdown(results).splitlines()[2:] == [
        "| raw | 50.0 |",
        "| chance | 25.0 |",
    ]


def test_flatten_numbers_of_a_row():
    numbers = results_table.flatten_numbers(RESULTS["rows"][0])
    assert numbers["action_top1"] == 0.9 and numbers["images/cmap"] == 0.95
    assert not any("interval" in name or "precision" in name for name in numbers)


def test_average_by_hand():
    # .9 and .7: mean .8, deviation sqrt((.1 ** 2 + .1 ** 2) / 1) = .1414.
    other = copy.deepcopy(RESULTS)
    other["rows"][0]["action_top1"] = 0.7
    both = results_table.average_runs([RESULTS, other])
    assert both["runs"] == 2 and "action_interval" not in both["rows"][0]
    assert both["rows"][0]["action_top1"] == pytest.approx({"mean": 0.8, "std": 0.02**0.5})
    raw = results_table.format_markdown(both).splitlines()[2]
    assert raw.startswith("| raw | 80.0 ± 14.1 | 95.0 ± 0.0 | 45.0 ± 0.0 |")
    assert "16.7 ± 0.0" in results_table.format_table(both)


def test_only_runs_with_the_same_rows_are_averaged():
    other = copy.deepcopy(RESULTS)
    other["rows"].pop()
    with pytest.raises(ValueError, match="of the same anonymizers"):
        results_table.average_runs([RESULTS, other])
    with pytest.raises(ValueError, match="two or more runs"):
        results_table.average_runs([RESULTS])
