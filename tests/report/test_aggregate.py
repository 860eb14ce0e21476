"""What a report reads and works out, on numbers made up for the purpose."""

import dataclasses
import json

import fabricated_runs
import pytest

from tfanon.report import aggregate, event_files, load_runs, paper_tables, plots, sections, tables


@pytest.fixture
def swept(tmp_path):
    return load_runs.load_runs([fabricated_runs.write_sweep(tmp_path / "sweep")])


def named(marks):
    return {mark.name: mark for mark in marks}


def test_a_sweep_has_a_summary_per_fixed_anonymizer_and_value_of_b(swept):
    runs, missing = swept
    assert len(runs) == 6 and not missing
    assert {run.label for run in runs} == {"B = 0.05", "B = 0.2"} and {
        run.setting for run in runs
    } == {""}
    marks = named(aggregate.summarize_anonymizers(runs))
    assert list(marks) == ["raw", "blur", "downsample", "f_A, B = 0.05", "f_A, B = 0.2"]
    assert [len(mark.by_seed) for mark in marks.values()] == [3] * 5


def test_leakage_is_the_strongest_attackers_and_the_mean_skips_frozen_ones(swept):
    mark = named(aggregate.summarize_anonymizers(swept[0]))["f_A, B = 0.2"]
    # Fresh: cMAP .9 - chance .4 = .5, shifted by -.01, 0, +.01 with the seed. The run's own
    # attacker: .8 - .4 = .4. Their mean is .45; the frozen attacker does not count.
    assert mark.number("leak").values == pytest.approx((0.49, 0.5, 0.51))
    assert mark.number("leak").std == pytest.approx(0.01)
    assert mark.number("leak_mean").mean == pytest.approx(0.45)
    assert mark.by_seed[0]["leak_by"] == "fresh resnet18, scratch, images"
    assert mark.number("identity_top1").mean == 0.5 and mark.by_seed[0]["psnr"] == 21.5
    assert mark.by_seed[0]["flicker"] == 0.01 and "ms_ssim" not in mark.by_seed[0]


def test_an_attacker_reused_by_an_evaluation_counts_once(tmp_path):
    runs = with_attacks(
        tmp_path, {**fabricated_runs.make_attack("f_A", "fresh", 0.6, 0), "network": "small_resnet"}
    )
    seen = named(aggregate.summarize_anonymizers(runs))["f_A"].by_seed[0]
    # The run's own attacker: .6 - .4 = .2, in the run and in the evaluation; fresh resnet18: .3;
    # the frozen attacker does not count.
    assert seen["leak_mean"] == pytest.approx((0.2 + 0.3) / 2)
    assert seen["attacked_by"] == [
        "fresh resnet18 scratch images",
        "fresh small_resnet scratch images",
    ]


def test_a_fixed_anonymizer_measured_in_several_runs_counts_once(tmp_path):
    """Two runs trained its attacker separately, one luckier by .05; f_A has one try only."""
    runs = [
        *with_attacks(tmp_path / "a", penalty_bound=0.1),
        *with_attacks(tmp_path / "b", shift=0.05, penalty_bound=0.2),
    ]
    marks = named(
        aggregate.summarize_anonymizers(
            [dataclasses.replace(run, label=str(run.config.penalty_bound)) for run in runs]
        )
    )
    assert marks["blur"].number("leak").mean == pytest.approx(0.4)  # cMAP .8, floor .4
    rows = {
        (row[0], row[1]): row[3] for row in sections.make_attacker_table([marks["blur"]], runs).rows
    }
    assert rows["blur", "fresh resnet18, scratch, images"].mean == pytest.approx(0.8)


def test_results_on_novel_data_are_not_leakage_of_the_run(tmp_path):
    runs = with_attacks(tmp_path)
    novel = {
        **runs[0].evaluations["strict"],
        "novel": {"attribute_set": "vispr2"},
        "attacks": [fabricated_runs.make_attack("f_A", "fresh", 0.99, 0)],
    }
    runs = [dataclasses.replace(runs[0], evaluations={**runs[0].evaluations, "novel": novel})]
    marks = named(aggregate.summarize_anonymizers(runs))
    assert marks["f_A"].number("leak").mean == pytest.approx(0.3)
    attributes = dict(
        zip(("", "hat", "tree"), sections.make_attribute_table([marks["f_A"]], runs).rows[0])
    )
    assert attributes["hat"].mean == pytest.approx(0.7)
    assert any(
        table.name == "paper_table_2"
        for table in paper_tables.make_paper_tables(list(marks.values()), runs)
    )


def test_different_attackers_are_a_caveat(tmp_path):
    """As many, but not the same."""
    runs = with_attacks(
        tmp_path,
        fabricated_runs.make_attack("f_A", "knn", 0.5, 0),
        *(
            fabricated_runs.make_attack(name, "linear_probe", 0.5, 0)
            for name in fabricated_runs.SCORES
        ),
    )
    said = sections.list_caveats(aggregate.summarize_anonymizers(runs), runs, [])
    assert any("the same attackers (3 to 3 of them)" in line for line in said)


def test_a_frozen_attacker_is_not_part_of_the_maximum(tmp_path):
    runs = with_attacks(tmp_path, fabricated_runs.make_attack("f_A", "frozen", 0.99, 0))
    seen = named(aggregate.summarize_anonymizers(runs))["f_A"].by_seed[0]
    assert seen["leak"] == pytest.approx(0.3) and seen["leak_by"].startswith(
        "fresh"
    )  # cMAP .7, floor .4


def test_attributes_of_images_and_clips_have_separate_summaries(tmp_path):
    clips = {"probe": "clips", "cmap": 0.95, "cmap_chance": 0.1, "cmap_above_floor": 0.85}
    runs = with_attacks(
        tmp_path,
        *(
            {**fabricated_runs.make_attack(name, "fresh", 0.5, 0), **clips}
            for name in ("raw", "f_A")
        ),
    )
    groups = aggregate.group_summaries(aggregate.summarize_anonymizers(runs))
    leaks = {
        probe: {mark.name: seed.get("leak") for mark in alike for seed in mark.by_seed.values()}
        for (_, probe), alike in groups.items()
    }
    assert leaks["images"] == pytest.approx(
        {"raw": 0.5, "blur": 0.4, "downsample": 0.3, "f_A": 0.3}
    )
    assert leaks["clips"] == {"raw": 0.85, "blur": None, "downsample": None, "f_A": 0.85}
    f_A = named(groups["", "images"])["f_A"]
    assert {attack["probe"] for attack in sections.list_summary_attacks(f_A, runs)} == {"images"}


def with_attacks(folder, *attacks, **flags):
    """A run whose evaluation has these attacks too, loaded."""
    run = fabricated_runs.write_run(folder / "run", **flags)
    path = run / "evaluation/strict/results.json"
    found = json.loads(path.read_text())
    found["attacks"] += attacks
    path.write_text(json.dumps(found))
    return load_runs.load_runs([run])[0]


def test_a_file_of_f_A_is_not_a_fixed_anonymizer(tmp_path):
    for bound in (0.1, 0.2):
        with_attacks(
            tmp_path / f"B{bound}",
            fabricated_runs.make_attack("anonymizer_int8.tflite", "fresh", 0.5 + bound, 0),
            penalty_bound=bound,
        )
    runs, _ = load_runs.load_runs([tmp_path / "B0.1/run", tmp_path / "B0.2/run"])
    marks = named(aggregate.summarize_anonymizers(runs))
    for bound in (0.1, 0.2):
        assert marks[f"anonymizer_int8.tflite, B = {bound}"].number("leak").mean == pytest.approx(
            0.1 + bound
        )
    assert [name for name in marks if aggregate.is_fixed(marks[name].anonymizer)] == [
        "raw",
        "blur",
        "downsample",
    ]
    assert aggregate.is_fixed("blur:kernel=63;sigma=30+h264") and not aggregate.is_fixed("f_A+h264")


def test_change_from_raw_is_computed_per_seed(swept):
    marks = named(aggregate.summarize_anonymizers(swept[0]))
    change = aggregate.compute_change(marks["raw"], marks["f_A, B = 0.2"], "action_top1")
    assert change.values == pytest.approx([-0.2] * 3)  # .9 and .7 under every seed
    assert aggregate.compute_change(None, marks["raw"], "action_top1") is None
    assert aggregate.compute_change(marks["raw"], marks["blur"], "no such figure") is None


def test_several_seeds_have_the_mean_of_their_intervals(swept):
    number = named(aggregate.summarize_anonymizers(swept[0]))["raw"].number("leak")
    # By the seed cMAP .88, .89, .9 to .91, .92, .93, floor .4.
    assert number.std == pytest.approx(0.01) and number.interval == pytest.approx((0.49, 0.52))
    assert (
        tables._format_html_cell(number, True)
        == "<td class=n>50.0 ± 1.0<small>49.0–52.0</small></td>"
    )
    assert tables._format_html_cell(number, False) == "<td class=n>50.0 ± 1.0</td>"


def test_verification_is_reported_beside_identity(tmp_path):
    known = {
        "anonymizer": "f_A",
        "attacker": "identity",
        "network": "resnet18",
        "probe": "clips",
        "identity_top1": 0.7,
        "identity_interval": [0.6, 0.8],
        "identity_chance": 0.1,
        "tar_at_far": {"0.01": 0.2, "0.1": None},
    }
    marks = aggregate.summarize_anonymizers(with_attacks(tmp_path, known))
    table = sections.make_further_table(marks)
    row = dict(zip(table.head, next(row for row in table.rows if row[0] == "f_A")))
    assert (
        row["identity top-1"].mean == 0.7
        and row["TAR at FAR 1 %"].mean == 0.2
        and row["TAR at FAR 10 %"] is None
    )


def test_one_seed_has_an_interval_but_no_deviation(tmp_path):
    runs, _ = load_runs.load_runs([fabricated_runs.write_run(tmp_path / "run")])
    number = named(aggregate.summarize_anonymizers(runs))["raw"].number("leak")
    assert number.std is None and number.interval == pytest.approx(
        (0.49, 0.52)
    )  # cMAP .89 to .92, floor .4
    assert number.bounds == number.interval


def test_pareto_front_measures_by_hand(swept):
    # Seed 1 has no shift. Raw: leak .5, top-1 .9; blur .4, .8; downsample .3, .6; chance .125.
    # blur: privacy .2, utility .675 / .775 = .871; downsample: .4, .475 / .775 = .613.
    # Hypervolume .4 * .613 + .2 * (.871 - .613) = .2968.
    fixed = aggregate.measure_front(aggregate.summarize_anonymizers(swept[0]), False)
    assert fixed["points"] == 2 and fixed["hypervolume"].values[1] == pytest.approx(
        0.2968, abs=1e-4
    )
    trained = aggregate.measure_front(aggregate.summarize_anonymizers(swept[0]), True)
    # B = .05: leakage .35, top-1 .85: privacy .3, utility .725 / .775; B = .2 leaks as much as
    # raw and adds nothing.
    assert trained["hypervolume"].values[1] == pytest.approx(0.3 * 0.725 / 0.775)


def test_pareto_optimal_anonymizers(swept):
    # (leak, top-1): f_A B = .05 (.35, .85) beats blur (.4, .8) and f_A B = .2 (.5, .7).
    assert [
        mark.name
        for mark in aggregate.find_pareto_optimal(aggregate.summarize_anonymizers(swept[0]))
    ] == [
        "downsample",
        "f_A, B = 0.05",
        "raw",
    ]


def test_other_attackers_are_another_setting(tmp_path):
    runs, _ = load_runs.load_runs(
        [
            fabricated_runs.write_run(tmp_path / "a"),
            fabricated_runs.write_run(tmp_path / "b", epochs_privacy=7),
        ]
    )
    assert [run.setting for run in runs] == ["epochs_privacy = 100", "epochs_privacy = 7"]
    assert (
        len(aggregate.summarize_anonymizers(runs)) == 8
        and aggregate.measure_front(aggregate.summarize_anonymizers(runs)[:4])["points"] == 3
    )


def test_other_private_attributes_of_clips_are_another_setting(tmp_path):
    runs, _ = load_runs.load_runs(
        [
            fabricated_runs.write_run(tmp_path / name, clip_private_columns=(name,))
            for name in ("gender", "identity")
        ]
    )
    assert [run.setting for run in runs] == [
        "clip_private_columns = gender",
        "clip_private_columns = identity",
    ]


def test_an_anonymizer_known_to_an_evaluation_only_has_a_summary(tmp_path):
    folder = fabricated_runs.write_run(tmp_path / "run")
    path = folder / "evaluation/strict/results.json"
    found = json.loads(path.read_text())
    found["attacks"].append(fabricated_runs.make_attack("f_A+h264", "fresh", 0.6, 0))
    path.write_text(json.dumps(found))
    runs, _ = load_runs.load_runs([folder])
    mark = named(aggregate.summarize_anonymizers(runs))["f_A+h264"]
    assert mark.number("leak").mean == pytest.approx(0.2) and mark.number("action_top1") is None
    assert any(
        "not in the Pareto plot: f_A+h264" in line
        for line in sections.list_caveats(aggregate.summarize_anonymizers(runs), runs, [])
    )
    for network, top1 in (
        ("c3d", 0.1),
        (runs[0].config.action_network, 0.7),
    ):  # the run's own is the one that counts
        found["actions"].append(
            {
                "anonymizer": "f_A+h264",
                "network": network,
                "action_top1": top1,
                "action_chance": 0.125,
            }
        )
    path.write_text(json.dumps(found))
    runs, _ = load_runs.load_runs([folder])
    assert (
        named(aggregate.summarize_anonymizers(runs))["f_A+h264"].number("action_top1").mean == 0.7
    )


def test_missing_measurements_are_caveats(tmp_path):
    runs, _ = load_runs.load_runs(
        [fabricated_runs.write_run(tmp_path / "run", baselines=("blur",), evaluated=False)]
    )
    said = " ".join(
        sections.list_caveats(
            aggregate.summarize_anonymizers(runs), runs, sections.list_controls(runs)
        )
    )
    for words in (
        "Fewer than 3 seeds: blur, f_A",
        "No evaluation: run",
        "not tried: frozen",
        "No controls were run",
        "Raw video was not measured",
    ):
        assert words in said
    assert aggregate.measure_front(aggregate.summarize_anonymizers(runs)) is None


def test_nan_is_left_out_with_a_caveat(tmp_path):
    runs, _ = load_runs.load_runs(
        [fabricated_runs.write_run(tmp_path / "run", f_A=(float("nan"), 0.6, 0.7))]
    )
    marks = aggregate.summarize_anonymizers(runs)
    assert named(marks)["f_A"].number("action_top1") is None
    assert [mark.name for mark in aggregate.find_pareto_optimal(marks)] == [
        "downsample",
        "blur",
        "raw",
    ]
    assert any(
        "not in the Pareto plot: f_A" in line for line in sections.list_caveats(marks, runs, [])
    )


@pytest.mark.parametrize("top1, said", [(0.94, False), (0.96, True)])  # raw video: 0.9
def test_higher_accuracy_than_on_raw_video_is_a_caveat(tmp_path, top1, said):
    runs, _ = load_runs.load_runs(
        [fabricated_runs.write_run(tmp_path / "run", f_A=(top1, 0.6, 0.7))]
    )
    lines = sections.list_caveats(aggregate.summarize_anonymizers(runs), runs, [])
    assert any("more accurate on f_A than on raw video" in line for line in lines) == said


def test_attackers_that_fail_on_raw_video_are_no_reference(tmp_path, monkeypatch):
    monkeypatch.setitem(
        fabricated_runs.SCORES, "raw", (0.125, 0.4, 0.39)
    )  # top-1 and cMAP at chance
    runs, _ = load_runs.load_runs([fabricated_runs.write_run(tmp_path / "run", evaluated=False)])
    assert aggregate.measure_front(aggregate.summarize_anonymizers(runs)) is None
    assert any(
        "beat chance on raw video" in line
        for line in sections.list_caveats(aggregate.summarize_anonymizers(runs), runs, [])
    )


def test_a_trial_without_results_is_left_out(tmp_path):
    folder = fabricated_runs.write_sweep(tmp_path / "sweep")
    (folder / "B0.2-seed1/results.json").unlink()
    runs, missing = load_runs.load_runs([folder])
    assert len(runs) == 5 and missing == [f"No results yet, so left out: {folder / 'B0.2-seed1'}."]
    for path in folder.glob("B0.2*/results.json"):
        path.unlink()
    assert len(load_runs.load_runs([folder])[1]) == 1
    assert load_runs.shorten_list(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda f: (f / "run.flags").unlink() or (f / "results.json").unlink(), "neither a run"),
        (
            lambda f: (f / "results.json").write_text('{"schema_version": 2, "rows": []}'),
            "schema_version 2",
        ),
        (lambda f: (f / "results.json").write_text("{"), "is not JSON"),
        (
            lambda f: (f / "results.json").write_text('{"schema_version": 1, "rows": [{}]}'),
            "not every entry of rows",
        ),
        (lambda f: (f / "run.flags").write_text("--no_such_flag=1"), "another version"),
        (
            lambda f: fabricated_runs.write_json(
                f / "sweep.json", {"schema_version": 1, "points": [{"name": "../x"}]}
            ),
            "outside its folder",
        ),
    ],
)
def test_unreadable_results_are_refused(tmp_path, spoil, message):
    folder = fabricated_runs.write_run(tmp_path / "run")
    spoil(folder)
    with pytest.raises(ValueError, match=message):
        load_runs.load_runs([folder])


def test_duplicate_experiments_are_refused(tmp_path):
    with pytest.raises(ValueError, match="the same experiment with the same seed 0"):
        load_runs.load_runs(
            [fabricated_runs.write_run(tmp_path / "a"), fabricated_runs.write_run(tmp_path / "b")]
        )


def test_numbers_of_the_paper_are_beside_ours(swept):
    runs, _ = swept
    found = {
        table.name: table
        for table in paper_tables.make_paper_tables(aggregate.summarize_anonymizers(runs), runs)
    }
    rows = {row[0]: row for row in found["paper_table_1"].rows}
    assert rows["Raw data"][1:4] == ("78.88", "64.41", ".555") and rows["Raw data"][
        4
    ].mean == pytest.approx(0.9)
    assert rows["Obf-StrongBlur"][2] == "55.94" and rows["Downsample-2x"][4] is None
    assert any("78.88 - 78.26 is .62" in note for note in found["paper_table_1"].notes)
    assert [row[0] for row in found["paper_figure_3"].rows] == [0.05, 0.2]
    assert found["paper_table_6"].rows[-1][:2] == (
        "f_A, B = 0.2: frozen resnet18, scratch, images",
        "?",
    )
    fresh = found["paper_table_7_8"].rows[0]  # raw is in both values of B; a seed counts once
    assert fresh[0] == "fresh resnet18, scratch, images: raw"
    assert fresh[2].values == pytest.approx((0.89, 0.9, 0.91))
    network = found["paper_table_5"].rows if "paper_table_5" in found else ()
    assert not network  # that protocol was not run


@pytest.mark.parametrize(
    "flags, name",
    [
        ({"penalty_bound": 0.3}, "Ours, B = 0.3"),
        ({"penalty_weight": 0.0}, "SPAct"),
        ({"objective": "vita"}, "VITA"),
        ({"objective": "ted_spad"}, ""),
        ({"penalty_bound": 0.3, "penalty_weight": 5.0}, ""),
    ],
)
def test_numbers_of_the_paper_are_beside_their_own_method_only(tmp_path, flags, name):
    image = {
        **fabricated_runs.make_attack("f_A", "fresh", 0.7, 0),
        "network": "resnet50",
        "start": "resnet50.weights.h5",
    }
    scratch = {**image, "start": "scratch"}
    runs = with_attacks(tmp_path, image, scratch, **flags)
    found = {
        table.name: table
        for table in paper_tables.make_paper_tables(aggregate.summarize_anonymizers(runs), runs)
    }
    rows = {row[0]: row for row in found["paper_table_1"].rows}
    assert paper_tables.get_paper_method(runs[0].config) == name and ("here: f_A" in rows) == (
        not name
    )
    assert not name or rows[name][4].mean == 0.8 and rows[name][2] != "?"
    _, *_, (_, started, *_), (_, fresh, *_) = found["paper_table_7_8"].rows
    assert (started, fresh) == {"Ours, B = 0.3": ("58.65", "57.41"), "SPAct": ("60.73", "?")}.get(
        name, ("?", "?")
    )
    frozen = {row[0].split(":")[0]: row[1] for row in found["paper_table_6"].rows}
    assert frozen == {
        "raw": "64.41",
        "blur": "?",
        "downsample": "?",
        "f_A": {"Ours, B = 0.3": "26.91", "SPAct": "27.44", "VITA": "22.81"}.get(name, "?"),
    }
    assert ("paper_figure_3" in found) == (flags.get("objective") is None)


def test_runs_on_other_data_are_labelled_separately(tmp_path):
    bounds = [
        fabricated_runs.write_run(tmp_path / f"B{bound}", penalty_bound=bound)
        for bound in (0.1, 0.2)
    ]
    real = fabricated_runs.write_run(
        tmp_path / "real",
        clip_source="ucf101",
        penalty_bound=0.7,
        data_dir="elsewhere",
        epochs_privacy=9,
        epochs_anonymize=3,
    )
    runs, _ = load_runs.load_runs([*bounds, real])
    assert [run.label for run in runs] == ["B = 0.1", "B = 0.2", ""]
    assert [run.setting for run in runs] == ["clip_source = synthetic"] * 2 + [
        "clip_source = ucf101"
    ]


def test_curves_of_baselines_with_options_are_found(tmp_path):
    folder = fabricated_runs.write_run(tmp_path / "run")
    fabricated_runs.write_curves(
        folder / "logs/privacy-images-downsample-factor=2", {"held_out": [(10, 0.5)]}
    )
    (run,) = load_runs.load_runs([folder])[0]
    mark = aggregate.AnonymizerSummary("downsample:factor=2", "downsample:factor=2", "", "", {})
    assert plots._read_logged_curve(run, mark, {"attacker": "judge", "probe": "images"}) == [
        (10, 0.5)
    ]


def test_curves_of_a_resumed_run_are_one(tmp_path):
    fabricated_runs.write_curves(
        tmp_path, {"loss": [(1, 3.0), (2, 2.0), (3, 9.0)]}, "events.out.tfevents.100.h.1.0.v2"
    )
    fabricated_runs.write_curves(
        tmp_path, {"loss": [(3, 1.0), (4, 0.5)]}, "events.out.tfevents.200.h.1.0.v2"
    )
    with open(tmp_path / "events.out.tfevents.200.h.1.0.v2", "ab") as file:
        file.write(b"\x40\0\0\0\0\0\0\0 cut off")
    assert event_files.read_scalars(tmp_path) == {"loss": [(1, 3.0), (2, 2.0), (3, 1.0), (4, 0.5)]}
    assert event_files.read_scalars(tmp_path / "nowhere") == {}
    thinned = event_files.thin_curve([(k, 0) for k in range(1000)])
    assert len(thinned) == 200 and thinned[-1] == (999, 0)


def test_curves_are_what_tensorflow_wrote(tmp_path):
    from tfanon.summaries import tensorboard

    with tensorboard.create_writer(tmp_path).as_default() as writer:
        for step, value in ((5, 0.25), (10, 0.5)):
            tensorboard.write_scalars(step, {"held_out": value})
        writer.close()
    assert event_files.read_scalars(tmp_path) == {"held_out": [(5, 0.25), (10, 0.5)]}


def test_the_close_up_leaves_out_useless_anonymizers():
    marks = [
        aggregate.AnonymizerSummary(
            name, name, "", "", {0: {"leak": leak, "action_top1": top1, "action_chance": 0.125}}
        )
        for name, leak, top1 in (
            ("raw", 0.4, 0.9),
            ("blur", 0.3, 0.8),
            ("black", 0.0, 0.125),
            ("dim", 0.1, 0.4),
        )
    ]
    (_, whole), (_, closer) = plots.plot_pareto_front(marks)
    assert all(f">{mark.name}<" in whole for mark in marks)
    assert ">blur<" in closer and ">black<" not in closer and ">dim<" not in closer


def test_many_points_have_numbers_and_a_key():
    marks = [
        aggregate.AnonymizerSummary(
            f"blur {number}", "blur", "", "", {0: {"leak": 0.1 * number, "action_top1": 0.5}}
        )
        for number in range(plots.MAX_NAMED_POINTS + 1)
    ]
    unplaced = aggregate.AnonymizerSummary("lost", "lost", "", "", {0: {"action_top1": 0.5}})
    (_, whole), _ = plots.plot_pareto_front([unplaced, *marks])
    assert plots.list_numbered_names([unplaced, *marks]) == [mark.name for mark in marks]
    assert all(
        what in whole
        for what in (">1</text>", f">{plots.MAX_NAMED_POINTS + 1}</text>", ">blur 1</title>")
    )
    assert ">blur 1</text>" not in whole
    assert (
        plots.list_numbered_names(marks[1:]) == []
        and ">blur 1</text>" in plots.plot_pareto_front(marks[1:])[0][1]
    )


def test_attackers_that_still_improve_are_described():
    # The best up to step 30 is .6; .7 at 40 is a tenth more.
    assert event_files.measure_late_rise(
        [(0, 0.2), (10, 0.5), (20, 0.6), (30, 0.6), (40, 0.7)]
    ) == pytest.approx(0.1)
    assert event_files.measure_late_rise([(0, 0.2), (40, 0.7)]) is None
    (said,) = sections.describe_unfinished_attackers(
        {
            "fresh": ([(0, 0.2), (10, 0.5), (20, 0.6), (40, 0.7)], event_files.POINTS),
            "knn": ([(0, 0.7)] * 4, event_files.POINTS),
            "young": ([(0, 0.7)], event_files.POINTS),
            "decoder": ([(0, 20), (10, 24), (20, 25), (40, 25.4)], event_files.DECIBELS),
            "poor decoder": ([(0, 20), (10, 24), (20, 25), (40, 25.7)], event_files.DECIBELS),
        }
    )
    assert said.endswith("may be larger: fresh (10.0 points), poor decoder (0.7 dB).")
