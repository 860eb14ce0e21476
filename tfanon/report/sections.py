"""Content of a report: tables, controls, caveats, the model card; `page` lays it out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfanon.core import registry
from tfanon.report import aggregate, event_files, load_runs
from tfanon.report.aggregate import AnonymizerSummary, Attack, Statistic
from tfanon.report.event_files import Curve, ScoreUnit
from tfanon.report.load_runs import FinishedRun
from tfanon.report.tables import Table

UP, DOWN = "\N{NO-BREAK SPACE}\N{UPWARDS ARROW}", "\N{NO-BREAK SPACE}\N{DOWNWARDS ARROW}"
MIN_SEEDS = 3  # fewer do not show a spread
# An anonymizer adds nothing to a video, so a top-1 above that of raw video by more than this
# fraction means that the evaluator is undertrained.
MAX_GAIN_OVER_RAW = 0.05
NOT_HIDDEN = (
    "Gait and other motion: actions stay recognisable, and people can be identified by how they "
    "move.",
    "Body shape and height, as far as the outline stays.",
    "Sound: voices, names, music. It is removed from copies unless --audio=keep.",
    "Text in the scene, such as signs, plates, badges and screens: not trained or tested here.",
    "Place and time: rooms, backgrounds, weather, file names and metadata.",
    "Anything that is not among the attacked attributes.",
)


def make_results_table(summaries: Sequence[AnonymizerSummary]) -> Table:
    """Make the main table: utility and leakage of each anonymizer."""
    keys = ("leak", "leak_mean", "cmap", "f1", "f1_logit_half", "f1_tuned")
    raw = aggregate.find_raw(summaries)
    rows: list[tuple] = []
    for summary in summaries:
        rows.append(
            (
                summary.name,
                summary.number("action_top1"),
                aggregate.compute_change(raw, summary, "action_top1"),
                *map(summary.number, keys),
                len(summary.by_seed),
                _name_strongest_attackers(summary),
            )
        )
    # Calling every attribute present needs no threshold, so it is the same for all three.
    f1_chance = _find_first(summaries, "f1_chance")
    rows.append(
        (
            "chance",
            _find_first(summaries, "action_chance"),
            None,
            None,
            None,
            _find_first(summaries, "cmap_chance"),
            f1_chance,
            f1_chance,
            f1_chance,
            None,
            None,
        )
    )
    return Table(
        "results",
        "Results",
        (
            "anonymizer",
            f"action top-1{UP}",
            "from raw",
            f"leakage, max{DOWN}",
            f"leakage, mean{DOWN}",
            f"cMAP{DOWN}",
            "F1, p > .5",
            "F1, logit > .5",
            "F1, tuned",
            "seeds",
            "strongest attacker",
        ),
        tuple(rows),
        lead="Per cent. Mean \N{PLUS-MINUS SIGN} standard deviation over seeds, below it the 95 % "
        "interval over test videos or images, mean of the seeds'. From raw: points of top-1 gained "
        "or lost with the same seed. Leakage is cMAP above chance, maximum and mean over attackers "
        "trained on anonymized data; cMAP and F1 are those of the run's own retrained attacker.",
        intervals=True,
    )


def _find_first(summaries: Iterable[AnonymizerSummary], key: str) -> Statistic | None:
    """Return the first known statistic of a score."""
    for summary in summaries:
        statistic = summary.number(key)
        if statistic is not None:
            return statistic
    return None


def _name_strongest_attackers(summary: AnonymizerSummary) -> str | None:
    """Return the strongest attacker, or several if they differ between seeds."""
    names = []
    for scores in summary.by_seed.values():
        if "leak_by" in scores:
            # Only the network: its start and task are in the table of attackers.
            names.append(scores["leak_by"].partition(",")[0])
    return "; ".join(dict.fromkeys(names)) or None


def make_attacker_table(
    summaries: Sequence[AnonymizerSummary], runs: Sequence[FinishedRun]
) -> Table:
    """Make the table with one row per anonymizer and attacker, over seeds."""
    groups: dict[tuple[str, str, str], dict[int, Attack]] = {}
    for summary in summaries:
        for attack in list_summary_attacks(summary, runs):
            key = (summary.name, aggregate.format_attacker(attack), attack["protocol"])
            groups.setdefault(key, {})[attack["seed"]] = attack
    rows = []
    for (name, attacker, protocol), by_seed in groups.items():
        scores = {}
        for seed, attack in by_seed.items():
            # AnonymizerSummary.number looks for the interval of a score under this name.
            identity_interval = attack.get("identity_interval")
            scores[seed] = {**attack, "identity_top1_interval": identity_interval}
        over_seeds = AnonymizerSummary(name, "", "", "", scores)
        # Runs of one label have the same budget.
        budget = next(iter(by_seed.values())).get("budget") or {}
        rows.append(
            (
                name,
                attacker,
                protocol or "run",
                *map(over_seeds.number, ("cmap", "cmap_above_floor", "f1_tuned", "identity_top1")),
                _compute_mean(by_seed, "psnr"),
                _compute_mean(by_seed, "ssim"),
                budget.get("steps"),
                budget.get("parameters"),
            )
        )
    return Table(
        "attackers",
        "Attackers",
        (
            "anonymizer",
            "attacker",
            "protocol",
            "cMAP",
            "above chance",
            "F1, tuned",
            "identity top-1",
            "PSNR dB",
            "SSIM",
            "steps",
            "parameters",
        ),
        tuple(rows),
        lead="What each attacker learns from anonymized data, in per cent. The attacker 'judge' is "
        "the run's own retrained attacker f_B'. The strongest attacker counts.",
    )


def make_attribute_table(
    summaries: Sequence[AnonymizerSummary], runs: Sequence[FinishedRun]
) -> Table | None:
    """Make the table of average precision per attribute, by the attacker best at it."""
    by_summary = []
    names: dict[str, None] = {}
    for summary in summaries:
        best: dict[int, dict[str, float]] = {}
        for attack in list_summary_attacks(summary, runs):
            for name, value in (attack.get("average_precision") or {}).items():
                names[name] = None
                of_seed = best.setdefault(attack["seed"], {})
                # The best at each attribute, which need not be the best on average.
                of_seed[name] = max(of_seed.get(name, value), value)
        by_summary.append(AnonymizerSummary(summary.name, "", "", "", best))
    if not names:
        return None
    rows = [(summary.name, *map(summary.number, names)) for summary in by_summary]
    return Table(
        "attributes",
        "Attributes",
        ("anonymizer", *names),
        tuple(rows),
        lead="Average precision of each attribute, the largest over all attackers.",
    )


def make_front_table(summaries: Sequence[AnonymizerSummary]) -> Table | None:
    """Make the table of hypervolume and area of all, fixed and trained anonymizers."""
    rows = []
    for name, trained in (("all", None), ("fixed", False), ("trained", True)):
        front = aggregate.measure_front(summaries, trained)
        if front:
            rows.append((name, front["hypervolume"], front["area"], front["points"]))
    if not rows:
        return None
    return Table(
        "frontier",
        "The Pareto front in numbers",
        ("anonymizers", f"hypervolume{UP}", f"area{UP}", "points"),
        tuple(rows),
        (
            "Reference points: raw video (its top-1, its leakage) and chance (top-1 of the most "
            "frequent class, no leakage). Hypervolume: fraction of the box between them that is "
            "dominated; 0 for raw and chance alone. Area: under utility over privacy, straight "
            "from point to point; 50 for choosing raw video or nothing at random.",
        ),
    )


def make_further_table(summaries: Sequence[AnonymizerSummary]) -> Table | None:
    """Make the table of identity, flicker and reconstruction, where they were measured."""
    fractions = ("identity_top1", "identity_chance", "tar_at_far_0.01", "tar_at_far_0.1")
    others = ("flicker", "psnr", "ssim", "ms_ssim")
    rows = []
    for summary in summaries:
        cells = list(map(summary.number, fractions))
        means = [_compute_mean(summary.by_seed, key) for key in others]
        if any(cell is not None for cell in (*cells, *means)):
            rows.append((summary.name, *cells, *means))
    if not rows:
        return None
    return Table(
        "further",
        "Identity, flicker, reconstruction",
        (
            "anonymizer",
            "identity top-1",
            "chance",
            "TAR at FAR 1 %",
            "TAR at FAR 10 %",
            "flicker",
            "PSNR dB",
            "SSIM",
            "MS-SSIM",
        ),
        tuple(rows),
        lead="Identity, in per cent: closed-set top-1; true accept rate of pairs of one person at "
        "a false accept rate of pairs of two. Flicker: mean temporal difference of the output "
        "beyond that of the input, pixels in [0, 1]. PSNR and SSIM: similarity of a "
        "reconstruction to the raw image, mean over seeds.",
    )


def list_summary_attacks(summary: AnonymizerSummary, runs: Iterable[FinishedRun]) -> list[Attack]:
    """List the attacks that belong to a summary, each once, with "run": its run."""
    attacks = []
    for run in runs:
        if run.setting == summary.setting and summary.label in ("", run.label):
            for attack in aggregate.list_attacks(run, summary.anonymizer, summary.probe):
                attacks.append({**attack, "run": run})
    return aggregate.drop_repeated_attacks(attacks)


def list_controls(runs: Iterable[FinishedRun]) -> list[dict[str, Any]]:
    """List the positive and negative controls of all evaluations.

    Returns:
        Dicts with "run", "protocol", "gate" (name of the control), "attacker", "value", "bound" and
        "passed".
    """
    controls = []
    for run in runs:
        for protocol, evaluation in run.evaluations.items():
            for control in evaluation.get("gates", []):
                controls.append({"run": run.folder.name, "protocol": protocol, **control})
    return controls


def list_caveats(
    summaries: Sequence[AnonymizerSummary],
    runs: Sequence[FinishedRun],
    controls: Sequence[dict[str, Any]],
) -> list[str]:
    """List gaps and weaknesses that a reader of the numbers might overlook, a sentence each."""
    caveats = []
    few = sorted({summary.name for summary in summaries if len(summary.by_seed) < MIN_SEEDS})
    if few:
        caveats.append(
            f"Fewer than {MIN_SEEDS} seeds: {load_runs.shorten_list(few)}. Differences between "
            "rows may be chance."
        )
    unevaluated = [run.folder.name for run in runs if not run.evaluations]
    if unevaluated:
        caveats.append(
            f"No evaluation: {load_runs.shorten_list(unevaluated)}. Only the run's own attacker "
            "was tried; python -m tfanon.evaluate --run_dir=RUN --protocol=strict adds others."
        )
    untried = _list_untried_attacks(summaries, runs)
    if untried:
        caveats.append(f"Attackers that were not tried: {', '.join(untried)}.")
    if not controls:
        caveats.append(
            "No controls were run: nothing shows that attackers succeed on raw data and fail on "
            "noise."
        )
    caveats += _describe_uneven_attacks(summaries)
    unplaced = list(dict.fromkeys(summary.name for summary in summaries if not summary.placed))
    if unplaced:
        caveats.append(
            "Without top-1 or leakage, so not in the Pareto plot: "
            f"{load_runs.shorten_list(unplaced)}."
        )
    raws = [summary for summary in summaries if summary.anonymizer == aggregate.RAW]
    if not raws:
        caveats.append(
            "Raw video was not measured, so there is nothing to compare with and no Pareto front "
            "in numbers."
        )
    elif not all(map(aggregate.is_valid_reference, raws)):
        caveats.append(
            "Evaluator or attackers do not beat chance on raw video with some seed, so failing "
            "elsewhere proves nothing: no Pareto front in numbers. Train them longer."
        )
    better = _list_better_than_raw(summaries)
    if better:
        caveats.append(
            f"The action evaluator is more accurate on {load_runs.shorten_list(better)} than on "
            "raw video, which has all the information: it had too few clips or steps, and its "
            "top-1 means little."
        )
    return list(dict.fromkeys(caveats))


def _list_untried_attacks(
    summaries: Iterable[AnonymizerSummary], runs: Sequence[FinishedRun]
) -> list[str]:
    """Return the known attacks that no evaluation ran."""
    tried = {"fresh"} if runs else set()  # every run has its own retrained attacker
    for summary in summaries:
        for attack in list_summary_attacks(summary, runs):
            # "reconstruction+frozen" counts as a reconstruction.
            tried.add(attack["attacker"].partition("+")[0])
    return [name for name in registry.list_names("attackers") if name not in tried]


def _describe_uneven_attacks(summaries: Iterable[AnonymizerSummary]) -> list[str]:
    """Return a sentence per group whose anonymizers were not attacked by the same attackers."""
    sentences = []
    for group in aggregate.group_summaries(summaries).values():
        attackers = set()
        for summary in group:
            # Only anonymizers that are compared by leakage.
            if summary.number("leak"):
                for scores in summary.by_seed.values():
                    attackers.add(tuple(scores["attacked_by"]))
        if len(attackers) > 1:
            counts = [len(names) for names in attackers]
            sentences.append(
                "Not every anonymizer was attacked by the same attackers "
                f"({min(counts)} to {max(counts)} of them): a maximum over more, or over stronger "
                "ones, is larger."
            )
    return sentences


def _list_better_than_raw(summaries: Iterable[AnonymizerSummary]) -> list[str]:
    """Return the anonymizers whose mean top-1 exceeds raw video's by MAX_GAIN_OVER_RAW."""
    names = []
    for group in aggregate.group_summaries(summaries).values():
        raw = aggregate.find_raw(group)
        for summary in group:
            gain = aggregate.compute_change(raw, summary, "action_top1")
            if gain and gain.mean > MAX_GAIN_OVER_RAW:
                names.append(summary.name)
    return list(dict.fromkeys(names))


def describe_unfinished_attackers(curves: Mapping[str, tuple[Curve, ScoreUnit]]) -> list[str]:
    """Describe attackers whose held-out score still rose at the end of their training.

    Args:
        curves: (step, score) pairs with their unit, by name.
    """
    rising = []
    for name, (points, unit) in curves.items():
        # None: too few scores to say.
        rise = unit.factor * (event_files.measure_late_rise(points) or 0)
        if rise > unit.min_rise:
            rising.append(f"{name} ({rise:.1f} {unit.name})")
    if not rising:
        return []
    return [
        "Attackers that still improved in the last quarter of their training, so that leakage may "
        f"be larger: {load_runs.shorten_list(rising)}."
    ]


def make_model_card(runs: Sequence[FinishedRun]) -> list[tuple[str, list[str]]]:
    """Return (heading, sentences): what the anonymizers are, attacks on them, their limits."""
    resolution = runs[0].config.resolution
    architectures = set()
    training = set()
    protocols: set[str] = set()
    for run in runs:
        config = run.config
        architectures.add((config.anonymizer, config.anonymizer_width, config.anonymizer_output))
        training.add(
            f"Clips of {config.clip_source}, images of {config.image_source}; seed {run.seed}."
        )
        protocols.update(run.evaluations)
    networks = []
    for name, width, output in sorted(architectures):
        networks.append(
            f"f_A: {name}, width {width:g}, {output} output, {resolution} x {resolution} pixels."
        )
    attacked_by = ", ".join(sorted(protocols)) or "only the retrained attackers of the run"
    return [
        ("Architecture", networks),
        ("Training data", sorted(training)),
        (
            "Attacks",
            [f"Protocols: {attacked_by}. Every attacker has f_A and its training data."],
        ),
        (
            "Intended use",
            [
                "Research, and deciding whether an anonymizer is good enough for a purpose. It "
                "does not replace a review of the pictures and is no legal advice."
            ],
        ),
        ("Not hidden", list(NOT_HIDDEN)),
    ]


def _compute_mean(by_seed: Mapping[int, dict[str, Any]], key: str) -> float | None:
    """Return the mean over seeds of a number that is not a fraction; None if it is unknown."""
    values = []
    for scores in by_seed.values():
        if isinstance(scores.get(key), (int, float)):
            values.append(scores[key])
    return float(sum(values) / len(values)) if values else None
