"""Figures of merit: for each anonymizer what is left of the action and what the strongest attacker learns, over seeds.

An attack is a dict as evaluation/*/results.json holds it; the fresh judges of the run itself are attackers too. A leak
is cMAP above its floor. Maximum and mean go over the attackers that were trained on anonymized data, and over those of
one probe: attributes of pictures and of clips are not the same, nor are their floors.
"""

import dataclasses
import math
import pathlib

import numpy as np

from tfanon.core import registry
from tfanon.metrics import pareto

RAW, TRAINED = "raw", "f_A"
FROZEN = "frozen"  # never saw anonymized data: for comparison only


@dataclasses.dataclass(frozen=True)
class Number:
    """A figure under one seed or several; shares in [0, 1].

    values: one per seed.  interval: (low, high) over what was tested, mean of the seeds'.
    """

    values: tuple
    interval: tuple | None = None

    @property
    def mean(self):
        return float(np.mean(self.values))

    @property
    def std(self):
        """Of a sample; None where one seed says nothing about a spread."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None

    @property
    def bounds(self):
        """(low, high) to draw: mean and deviation, or the interval of the only value."""
        if self.std is not None:
            return self.mean - self.std, self.mean + self.std
        return self.interval or (self.mean, self.mean)


@dataclasses.dataclass(frozen=True)
class Mark:
    """One anonymizer in one setting of data and judges.  by_seed: {seed: figures of that seed}, see `figures`.

    probe: whose attributes leak; "" where the setting has no more than one probe.
    """

    name: str
    anonymizer: str
    label: str
    setting: str
    by_seed: dict
    probe: str = ""

    @property
    def group(self):
        """(setting, probe): marks compare where it is equal."""
        return self.setting, self.probe

    @property
    def placed(self):
        """Whether it has a place on the frontier: a leak and a top-1 under every seed."""
        return bool(self.number("leak") and self.number("action_top1"))

    def number(self, key):
        """A Number, or None where a seed lacks it."""
        found = [seed.get(key) for seed in self.by_seed.values()]
        if not found or any(not _finite(value) for value in found):
            return None
        intervals = [seed.get(f"{key}_interval") for seed in self.by_seed.values()]
        known = all(interval and all(map(_finite, interval)) for interval in intervals)
        return Number(
            tuple(map(float, found)),
            tuple(map(float, np.mean(intervals, axis=0))) if known else None,
        )


def marks(runs):
    """A Mark per probe and fixed or trained anonymizer, in the order of the runs; f_A under each of its labels."""
    groups = {}
    for run in runs:
        for name in anonymizers(run):
            label = (
                "" if fixed(name) else run.label
            )  # what only the game depends on changes no fixed anonymizer
            groups.setdefault((name, label, run.setting), {}).setdefault(run.seed, []).append(run)
    seen = {
        setting: probes([run for run in runs if run.setting == setting]) for _, _, setting in groups
    }
    return [
        Mark(
            f"{name}, {label}" if label else name,
            name,
            label,
            setting,
            {seed: figures(same, name, probe) for seed, same in sorted(seeds.items())},
            probe,
        )
        for (name, label, setting), seeds in groups.items()
        for probe in seen[setting]
    ]


def grouped(marks_):
    """{(setting, probe): its marks}."""
    found = {}
    for mark in marks_:
        found.setdefault(mark.group, []).append(mark)
    return found


def probes(runs):
    """Names of the probes whose attributes were attacked, images first; ("",) where they are not several."""
    found = {
        attack["probe"]
        for run in runs
        for name in anonymizers(run)
        for attack in attacks(run, name)
        if _finite(attack.get("cmap_above_floor"))
    }
    return tuple(sorted(found, reverse=True)) if len(found) > 1 else ("",)


def anonymizers(run):
    """Names of all that a run measured, its own results first."""
    rows = [
        run.results["rows"],
        *(
            found.get(part, [])
            for found in run.comparable.values()
            for part in ("actions", "attacks", "flicker")
        ),
    ]
    return list(dict.fromkeys(row["anonymizer"] for part in rows for row in part))


def figures(runs, name, probe=""):
    """What runs of one seed found behind one anonymizer; of a fixed one they may be several, with the same judges.

    probe: what attackers looked at; "": whatever it was.
    Returns {"action_top1", "leak" (the maximum), "leak_by", "leak_mean", "cmap", "f1", .., "attacked_by"}, as far as
    measured, and "..._interval" beside some.
    """
    found = once(attack for run in runs for attack in attacks(run, name, probe))
    leaks = [
        attack
        for attack in found
        if _finite(attack.get("cmap_above_floor")) and attack["attacker"] != FROZEN
    ]
    met = sorted({" ".join(str(part) for part in who(attack) if part) for attack in leaks})
    result = {"attacked_by": met, **_row(found), **_action(runs, name)}
    if leaks:
        worst = max(leaks, key=lambda attack: attack["cmap_above_floor"])
        each = dict.fromkeys((who(attack), attack["cmap_above_floor"]) for attack in leaks)
        result |= {
            "leak": worst["cmap_above_floor"],
            "leak_by": title(worst),
            "leak_interval": _above(worst),
            "leak_mean": float(np.mean([leak for _, leak in each])),
        }
    return result | _identity(found) | _flicker(runs, name) | _rebuilt(found)


def once(found):
    """The first of each attacker, protocol and seed: several runs hold attacks on a fixed anonymizer, perhaps trained apart.

    The luckiest of several trainings would be no match for the only one that f_A has.
    """
    kept = {}
    for attack in found:
        kept.setdefault((who(attack), attack["protocol"], attack["seed"]), attack)
    return list(kept.values())


def attacks(run, name, probe=""):
    """Every attack on one anonymizer by a run's own data, "protocol" and "seed" added to each.  probe: of this one alone."""
    rows = [row for row in run.results["rows"] if row["anonymizer"] == name]
    own = [
        {
            **value,
            "attacker": "judge",
            "probe": seen,
            "protocol": "",
            "anonymizer": name,
            "network": run.config.attacker_network,
            "start": pathlib.Path(run.config.attack_weights).name or "scratch",
        }
        for row in rows
        for seen, value in row.items()
        if isinstance(value, dict) and "cmap" in value
    ]
    more = [
        {**attack, "protocol": protocol}
        for protocol, found in run.comparable.items()
        for attack in found["attacks"]
        if attack["anonymizer"] == name
    ]
    return [
        {**attack, "seed": run.seed} for attack in own + more if probe in ("", attack.get("probe"))
    ]


def who(attack):
    """What two entries of one network have in common: an evaluation takes the run's judge over as a fresh attacker."""
    return tuple(
        "fresh" if attack.get(key) == "judge" else attack.get(key)
        for key in ("attacker", "network", "start", "probe")
    )


def title(attack):
    """An attacker in words, such as "fresh resnet18, imagenet, images"."""
    start = attack.get("start") if attack["attacker"] != "judge" else None  # as the run says
    parts = [
        f"{attack['attacker']} {attack.get('network') or ''}".strip(),
        start,
        attack.get("probe"),
    ]
    return ", ".join(str(part) for part in parts if part)


def change(before, after, key):
    """The Number of what a figure gains from one mark to the other, seed by seed; None where no seed has both."""
    seeds = before.by_seed.keys() & after.by_seed.keys() if before and before is not after else ()
    both = [(before.by_seed[seed].get(key), after.by_seed[seed].get(key)) for seed in sorted(seeds)]
    gains = tuple(second - first for first, second in both if _finite(first) and _finite(second))
    return Number(gains) if gains else None


def worth(marks_, kind=None):
    """Hypervolume and area of a set of marks over the seeds that all of them and raw have; None where they cannot be.

    kind: None for all, else whether they are trained.  Returns {"hypervolume": Number, "area": Number, "points": n}.
    """
    raw = next((mark for mark in marks_ if mark.anonymizer == RAW), None)
    points = [
        mark
        for mark in marks_
        if mark.anonymizer != RAW and kind in (None, not fixed(mark.anonymizer)) and mark.placed
    ]
    if not points or not readable(raw):
        return None
    seeds = sorted(set(raw.by_seed).intersection(*(mark.by_seed for mark in points)))
    if not seeds:
        return None
    volumes, areas = [], []
    for seed in seeds:
        ends, placed = raw.by_seed[seed], [mark.by_seed[seed] for mark in points]
        box = pareto.ReferenceBox(ends["leak"], ends["action_top1"], ends["action_chance"])
        leaks, top1s = [one["leak"] for one in placed], [one["action_top1"] for one in placed]
        volumes.append(pareto.hypervolume(leaks, top1s, box))
        areas.append(pareto.area_under_front(leaks, top1s, box))
    return {
        "hypervolume": Number(tuple(volumes)),
        "area": Number(tuple(areas)),
        "points": len(points),
    }


def readable(raw):
    """Whether the mark of raw video can be an end of the frontier: the judges read it, under every seed."""
    known = raw and all(raw.number(key) for key in ("leak", "action_top1", "action_chance"))
    return bool(known) and all(
        seed["leak"] > 0 and seed["action_top1"] > seed["action_chance"]
        for seed in raw.by_seed.values()
    )


def unbeaten(marks_):
    """Those marks that no other beats in both means, from the least leak on."""
    placed = [mark for mark in marks_ if mark.placed]
    rows = pareto.find_pareto_front(
        [mark.number("leak").mean for mark in placed],
        [mark.number("action_top1").mean for mark in placed],
    )
    return [placed[row] for row in rows]


def fixed(name):
    """Whether an anonymizer is a baseline; else it is a run's f_A, or a file of it."""
    return name.split("+")[0].split(":")[0] in registry.list_names("anonymizers")


def _row(found):
    """cMAP and F1 of the run's own judge, on its first probe."""
    own = next((attack for attack in found if attack["attacker"] == "judge"), {})
    kept = (
        "cmap",
        "cmap_chance",
        "cmap_interval",
        "f1",
        "f1_interval",
        "f1_chance",
        "f1_logit_half",
        "f1_tuned",
    )
    return {key: own[key] for key in kept if key in own}


def _action(runs, name):
    """Top-1 by the run's own judge; of an anonymizer that only an evaluation saw, by a judge of that network there."""
    rows = [
        row
        for run in runs
        for row in [
            *run.results["rows"],
            *(
                row
                for found in run.comparable.values()
                for row in found.get("actions", [])
                if row.get("network") == run.config.action_evaluator_network
            ),
        ]
        if row["anonymizer"] == name and "action_top1" in row
    ]
    return _renamed(rows[0], "action_top1", "action_chance", "action_interval") if rows else {}


def _identity(found):
    known = [attack for attack in found if _finite(attack.get("identity_top1"))]
    if not known:
        return {}
    worst = max(known, key=lambda attack: attack["identity_top1"])
    rates = {f"tar_at_far_{far}": rate for far, rate in (worst.get("tar_at_far") or {}).items()}
    return _renamed(worst, "identity_top1", "identity_chance", "identity_interval") | rates


def _renamed(row, value, chance, interval):
    """A value and its chance, and its interval under the value's name."""
    return {key: row[key] for key in (value, chance) if key in row} | {
        f"{value}_interval": row.get(interval)
    }


def _flicker(runs, name):
    flicker = [
        row["flicker"]
        for run in runs
        for found in run.comparable.values()
        for row in found.get("flicker", [])
        if row["anonymizer"] == name
    ]
    return {"flicker": flicker[0]} if flicker else {}


def _rebuilt(found):
    """Of the best reconstruction."""
    best = max(
        (attack for attack in found if _finite(attack.get("psnr"))),
        key=lambda attack: attack["psnr"],
        default={},
    )
    return {key: best[key] for key in ("psnr", "ssim", "ms_ssim") if best.get(key) is not None}


def _above(attack):
    interval, chance = attack.get("cmap_interval"), attack.get("cmap_chance")
    return [bound - chance for bound in interval] if interval and _finite(chance) else None


def _finite(value):
    return isinstance(value, (int, float)) and math.isfinite(value)
