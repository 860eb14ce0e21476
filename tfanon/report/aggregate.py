"""One summary per anonymizer: utility, and what the strongest attacker learns, over seeds.

An attack is a dict as evaluation/*/results.json holds it; the retrained attackers of the run itself
count too, as attacker "judge". Leakage is cMAP above its chance level. Maximum and mean go over the
attackers that were trained on anonymized data, and over those of one privacy task: attributes of
images and of clips are not the same, nor are their chance levels.
"""

import dataclasses
import math
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfanon.core import registry
from tfanon.metrics import pareto
from tfanon.report.load_runs import FinishedRun

RAW, TRAINED = "raw", "f_A"
FROZEN = "frozen"  # an attacker that never saw anonymized data: for comparison only
OWN_ATTACKER = "judge"  # name of the run's own attacker among attacks
# Scores of the run's own attacker that are reported beside the leakage.
OWN_SCORES = (
    "cmap",
    "cmap_chance",
    "cmap_interval",
    "f1",
    "f1_interval",
    "f1_chance",
    "f1_logit_half",
    "f1_tuned",
)

Attack = dict[str, Any]
Scores = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Statistic:
    """A score with one seed or several; fractions in [0, 1].

    Attributes:
        values: One per seed.
        interval: (low, high) over what was tested, mean of the seeds' intervals.
    """

    values: tuple[float, ...]
    interval: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float | None:
        """Standard deviation of a sample of seeds; None with one seed."""
        if len(self.values) < 2:
            return None
        # ddof=1: the seeds are a sample of all possible seeds.
        return float(np.std(self.values, ddof=1))

    @property
    def bounds(self) -> tuple[float, float]:
        """(low, high) of an error bar: mean and deviation, or the interval of the only value."""
        if self.std is not None:
            return self.mean - self.std, self.mean + self.std
        return self.interval or (self.mean, self.mean)


@dataclasses.dataclass(frozen=True)
class AnonymizerSummary:
    """One anonymizer in one setting of data, evaluator and attackers.

    Attributes:
        name: Name with the label.
        anonymizer: Name of the anonymizer.
        label: Label of its runs; empty for fixed anonymizers.
        setting: Setting of its runs.
        by_seed: Scores per seed, see `collect_scores`.
        probe: Privacy task whose leakage is reported; empty if the setting has only one.
    """

    name: str
    anonymizer: str
    label: str
    setting: str
    by_seed: dict[int, Scores]
    probe: str = ""

    @property
    def group(self) -> tuple[str, str]:
        """(setting, privacy task): only summaries of one group compare."""
        return self.setting, self.probe

    @property
    def placed(self) -> bool:
        """Whether it has a leakage and a top-1 for every seed, and so a place in the plot."""
        # "leak" and "probe" (a privacy task) are keys of report.json.
        return bool(self.number("leak") and self.number("action_top1"))

    def number(self, key: str) -> Statistic | None:
        """Return the statistic of a score over seeds; None if a seed lacks it."""
        values = [scores.get(key, math.nan) for scores in self.by_seed.values()]
        # A mean over fewer seeds than its neighbours would not compare with them.
        if not values or not all(_is_finite(value) for value in values):
            return None
        intervals: list[Any] = [scores.get(f"{key}_interval") for scores in self.by_seed.values()]
        if not all(_is_finite_interval(interval) for interval in intervals):
            return Statistic(tuple(map(float, values)))
        low, high = np.mean(intervals, axis=0)
        return Statistic(tuple(map(float, values)), (float(low), float(high)))


def summarize_anonymizers(runs: Sequence[FinishedRun]) -> list[AnonymizerSummary]:
    """Summarize every fixed and trained anonymizer, per privacy task, in the order of the runs.

    f_A has one summary per label of its runs.
    """
    groups: dict[tuple[str, str, str], dict[int, list[FinishedRun]]] = {}
    for run in runs:
        for name in list_anonymizers(run):
            # The adversarial training does not change a fixed anonymizer.
            label = "" if is_fixed(name) else run.label
            seeds = groups.setdefault((name, label, run.setting), {})
            seeds.setdefault(run.seed, []).append(run)
    tasks = {}
    for _, _, setting in groups:
        tasks[setting] = list_privacy_tasks([run for run in runs if run.setting == setting])
    summaries = []
    for (name, label, setting), seeds in groups.items():
        for task in tasks[setting]:
            by_seed = {}
            for seed, same_seed in sorted(seeds.items()):
                by_seed[seed] = collect_scores(same_seed, name, task)
            title = f"{name}, {label}" if label else name
            summaries.append(AnonymizerSummary(title, name, label, setting, by_seed, task))
    return summaries


def group_summaries(
    summaries: Iterable[AnonymizerSummary],
) -> dict[tuple[str, str], list[AnonymizerSummary]]:
    """Return the summaries by (setting, privacy task)."""
    groups: dict[tuple[str, str], list[AnonymizerSummary]] = {}
    for summary in summaries:
        groups.setdefault(summary.group, []).append(summary)
    return groups


def list_privacy_tasks(runs: Iterable[FinishedRun]) -> tuple[str, ...]:
    """Return the privacy tasks that were attacked, images first; ("",) if there is one only."""
    tasks = set()
    for run in runs:
        for name in list_anonymizers(run):
            for attack in list_attacks(run, name):
                if _is_finite(attack.get("cmap_above_floor")):
                    tasks.add(attack["probe"])
    # Reversed: "images" before "clips".
    return tuple(sorted(tasks, reverse=True)) if len(tasks) > 1 else ("",)


def list_anonymizers(run: FinishedRun) -> list[str]:
    """Return the names of all anonymizers that a run measured, those of its own results first."""
    names = [row["anonymizer"] for row in run.results["rows"]]
    for evaluation in run.comparable.values():
        for part in ("actions", "attacks", "flicker"):
            names += [row["anonymizer"] for row in evaluation.get(part, [])]
    return list(dict.fromkeys(names))


def collect_scores(runs: Sequence[FinishedRun], name: str, probe: str = "") -> Scores:
    """Collect what runs of one seed measured on one anonymizer.

    Args:
        runs: Several for a fixed anonymizer that several runs measured in the same way.
        name: The anonymizer.
        probe: The privacy task; empty: any.

    Returns:
        "action_top1", "leak" (the maximum), "leak_by", "leak_mean", "cmap", "f1", "attacked_by"
        and so on, as far as measured, with "..._interval" beside some.
    """
    attacks = []
    for run in runs:
        attacks += list_attacks(run, name, probe)
    # Before the maximum, which grows with the number of attacks.
    attacks = drop_repeated_attacks(attacks)
    retrained = []
    for attack in attacks:
        if _is_finite(attack.get("cmap_above_floor")) and attack["attacker"] != FROZEN:
            retrained.append(attack)
    attackers = {_join_parts(identify_attacker(attack), " ") for attack in retrained}
    scores = {
        "attacked_by": sorted(attackers),
        **_get_own_scores(attacks),
        **_get_action_scores(runs, name),
    }
    if retrained:
        # Leakage is what the strongest attacker learns: failing attackers prove nothing.
        strongest = max(retrained, key=lambda attack: attack["cmap_above_floor"])
        # The run's own attacker may be among an evaluation's attacks too: it counts once.
        distinct = {(identify_attacker(one), one["cmap_above_floor"]): None for one in retrained}
        scores["leak"] = strongest["cmap_above_floor"]
        scores["leak_by"] = format_attacker(strongest)
        scores["leak_interval"] = _shift_interval(strongest)
        scores["leak_mean"] = float(np.mean([leakage for _, leakage in distinct]))
    scores.update(_get_identity_scores(attacks))
    scores.update(_get_flicker(runs, name))
    scores.update(_get_reconstruction_scores(attacks))
    return scores


def drop_repeated_attacks(attacks: Iterable[Attack]) -> list[Attack]:
    """Return the first attack of each attacker, protocol and seed.

    Several runs hold attacks on a fixed anonymizer, perhaps trained separately. The luckiest of
    several trainings would be no fair comparison with the only one that f_A has.
    """
    kept: dict[tuple, Attack] = {}
    for attack in attacks:
        key = (identify_attacker(attack), attack["protocol"], attack["seed"])
        kept.setdefault(key, attack)
    return list(kept.values())


def list_attacks(run: FinishedRun, name: str, probe: str = "") -> list[Attack]:
    """List every attack on one anonymizer with a run's own data.

    Args:
        run: The run.
        name: The anonymizer.
        probe: The privacy task; empty: any.

    Returns:
        The attacks, each with "protocol" and "seed".
    """
    attacks = []
    # Named as in evaluations, which may reuse this attacker.
    start = pathlib.Path(run.config.attack_weights).name or "scratch"
    for row in run.results["rows"]:
        if row["anonymizer"] != name:
            continue
        for task, value in row.items():
            if isinstance(value, dict) and "cmap" in value:
                own = {
                    "attacker": OWN_ATTACKER,
                    "probe": task,
                    "protocol": "",
                    "anonymizer": name,
                    "network": run.config.attacker_network,
                    "start": start,
                }
                attacks.append({**value, **own})
    for protocol, evaluation in run.comparable.items():
        for attack in evaluation["attacks"]:
            if attack["anonymizer"] == name:
                attacks.append({**attack, "protocol": protocol})
    chosen = [attack for attack in attacks if probe in ("", attack.get("probe"))]
    return [{**attack, "seed": run.seed} for attack in chosen]


def identify_attacker(attack: Attack) -> tuple[Any, ...]:
    """Return what two entries of one attacker have in common.

    An evaluation reuses the run's own attacker as a "fresh" one.
    """
    attacker = "fresh" if attack.get("attacker") == OWN_ATTACKER else attack.get("attacker")
    return attacker, attack.get("network"), attack.get("start"), attack.get("probe")


def format_attacker(attack: Attack) -> str:
    """Return an attacker in words, such as "fresh resnet18, imagenet, images"."""
    network = attack.get("network") or ""
    # The run's configuration says how its own attacker starts.
    start = None if attack["attacker"] == OWN_ATTACKER else attack.get("start")
    parts = [f"{attack['attacker']} {network}".strip(), start, attack.get("probe")]
    return _join_parts(parts, ", ")


def compute_change(
    before: AnonymizerSummary | None, after: AnonymizerSummary, key: str
) -> Statistic | None:
    """Return what a score gains from one summary to another, seed by seed.

    Returns:
        None if no seed has both scores, or both summaries are the same.
    """
    if before is None or before is after:
        return None
    gains = []
    for seed in sorted(before.by_seed.keys() & after.by_seed.keys()):
        first, second = before.by_seed[seed].get(key), after.by_seed[seed].get(key)
        if first is not None and second is not None and _is_finite(second - first):
            gains.append(second - first)
    return Statistic(tuple(gains)) if gains else None


def measure_front(
    summaries: Sequence[AnonymizerSummary], trained: bool | None = None
) -> dict[str, Any] | None:
    """Measure the Pareto front of anonymizers over the seeds that all of them and raw have.

    Args:
        summaries: Of one group.
        trained: Only trained or only fixed anonymizers; None: all.

    Returns:
        {"hypervolume": Statistic, "area": Statistic, "points": number of anonymizers}; None if raw
        video is not a valid reference or there are no points.
    """
    raw = find_raw(summaries)
    points = []
    for summary in summaries:
        is_wanted = trained is None or trained != is_fixed(summary.anonymizer)
        if summary.anonymizer != RAW and is_wanted and summary.placed:
            points.append(summary)
    if raw is None or not points or not is_valid_reference(raw):
        return None
    # Points of a front must come from the same seeds.
    seeds = sorted(set(raw.by_seed).intersection(*(point.by_seed for point in points)))
    if not seeds:
        return None
    volumes, areas = [], []
    for seed in seeds:
        reference = raw.by_seed[seed]
        box = pareto.ReferenceBox(
            reference["leak"], reference["action_top1"], reference["action_chance"]
        )
        leakages = [point.by_seed[seed]["leak"] for point in points]
        top1s = [point.by_seed[seed]["action_top1"] for point in points]
        volumes.append(pareto.hypervolume(leakages, top1s, box))
        areas.append(pareto.area_under_front(leakages, top1s, box))
    return {
        "hypervolume": Statistic(tuple(volumes)),
        "area": Statistic(tuple(areas)),
        "points": len(points),
    }


def find_raw(summaries: Iterable[AnonymizerSummary]) -> AnonymizerSummary | None:
    """Return the summary of raw video, if there is one."""
    return next((summary for summary in summaries if summary.anonymizer == RAW), None)


def is_valid_reference(raw: AnonymizerSummary | None) -> bool:
    """Whether evaluator and attackers beat chance on raw video with every seed."""
    if raw is None or not all(map(raw.number, ("leak", "action_top1", "action_chance"))):
        return False
    for scores in raw.by_seed.values():
        if scores["leak"] <= 0 or scores["action_top1"] <= scores["action_chance"]:
            return False
    return True


def find_pareto_optimal(summaries: Iterable[AnonymizerSummary]) -> list[AnonymizerSummary]:
    """Return those that no other dominates in both means, by rising leakage."""
    placed = [summary for summary in summaries if summary.placed]
    leakages, top1s = [], []
    for summary in placed:
        leakage, top1 = summary.number("leak"), summary.number("action_top1")
        assert leakage is not None and top1 is not None  # `placed` has checked it
        leakages.append(leakage.mean)
        top1s.append(top1.mean)
    return [placed[row] for row in pareto.find_pareto_front(leakages, top1s)]


def is_fixed(name: str) -> bool:
    """Whether an anonymizer is a baseline; otherwise it is a run's f_A, or a file of it."""
    # "blur:regions=hog+h264" is blur with an option, coded as H.264.
    component = name.partition("+")[0].partition(":")[0]
    return component in registry.list_names("anonymizers")


def _get_own_scores(attacks: Iterable[Attack]) -> Scores:
    """Return cMAP and F1 of the run's own attacker on its first privacy task."""
    own = next((attack for attack in attacks if attack["attacker"] == OWN_ATTACKER), {})
    return {key: own[key] for key in OWN_SCORES if key in own}


def _get_action_scores(runs: Iterable[FinishedRun], name: str) -> Scores:
    """Return top-1 by the run's own evaluator.

    Of an anonymizer that only an evaluation saw: by an evaluator of that network there.
    """
    rows: list[dict[str, Any]] = []
    for run in runs:
        rows += run.results["rows"]
        for evaluation in run.comparable.values():
            for row in evaluation.get("actions", []):
                # The top-1 of another network would compare networks, not anonymizers.
                if row.get("network") == run.config.action_evaluator_network:
                    rows.append(row)
    for row in rows:
        if row["anonymizer"] == name and "action_top1" in row:
            return _rename_interval(row, "action_top1", "action_chance", "action_interval")
    return {}


def _get_identity_scores(attacks: Iterable[Attack]) -> Scores:
    """Return the scores of the attacker that identifies most people."""
    identified = [attack for attack in attacks if _is_finite(attack.get("identity_top1"))]
    if not identified:
        return {}
    strongest = max(identified, key=lambda attack: attack["identity_top1"])
    scores = _rename_interval(strongest, "identity_top1", "identity_chance", "identity_interval")
    for far, rate in (strongest.get("tar_at_far") or {}).items():
        scores[f"tar_at_far_{far}"] = rate
    return scores


def _rename_interval(row: dict[str, Any], value: str, chance: str, interval: str) -> Scores:
    """Return a value and its chance level, and its interval under the value's name."""
    scores = {key: row[key] for key in (value, chance) if key in row}
    scores[f"{value}_interval"] = row.get(interval)
    return scores


def _get_flicker(runs: Iterable[FinishedRun], name: str) -> Scores:
    for run in runs:
        for evaluation in run.comparable.values():
            for row in evaluation.get("flicker", []):
                if row["anonymizer"] == name:
                    return {"flicker": row["flicker"]}
    return {}


def _get_reconstruction_scores(attacks: Iterable[Attack]) -> Scores:
    """Return the scores of the best reconstruction."""
    reconstructions = [attack for attack in attacks if _is_finite(attack.get("psnr"))]
    if not reconstructions:
        return {}
    best = max(reconstructions, key=lambda attack: attack["psnr"])
    return {key: best[key] for key in ("psnr", "ssim", "ms_ssim") if best.get(key) is not None}


def _shift_interval(attack: Attack) -> list[float] | None:
    """Return the interval of the leakage from that of cMAP."""
    interval, chance = attack.get("cmap_interval"), attack.get("cmap_chance")
    if not interval or not _is_finite(chance):
        return None
    # The chance level is taken as exact, so the interval is a little too wide.
    return [bound - chance for bound in interval]


def _join_parts(parts: Iterable[Any], separator: str) -> str:
    """Join those that are not empty."""
    return separator.join(str(part) for part in parts if part)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_finite_interval(interval: Any) -> bool:
    return bool(interval) and all(map(_is_finite, interval))
