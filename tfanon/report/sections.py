"""What a report says, before anybody decides how it looks: tables, gates, what is missing, the model card."""

from tfanon.report import aggregate, event_files, load_runs
from tfanon.report.tables import Table

UP, DOWN = "\N{NO-BREAK SPACE}\N{UPWARDS ARROW}", "\N{NO-BREAK SPACE}\N{DOWNWARDS ARROW}"
SEEDS = 3  # fewer tell nothing about a spread
LUCK = 0.05  # of top-1: by how much more a judge may name behind an anonymizer, which adds nothing, than on raw video
KNOWN = (
    "frozen",
    "fresh",
    "linear_probe",
    "knn",
    "whole_video",
    "multi_frame",
    "identity",
    "reconstruction",
)
NOT_HIDDEN = (
    "Gait and other motion: the action is to be read, and people can be told by how they move.",
    "Body shape and height, as far as the outline stays.",
    "Sound: voices, names, music. Copies come without it unless they are asked to keep it.",
    "Text in the scene: signs, plates, badges, screens; nothing here was trained or tested on it.",
    "Place and time: rooms, backgrounds, weather, and what a file is called or says of itself.",
    "Whatever is not on the list of attributes that were attacked.",
)


def per_anonymizer(marks):
    """The table of results: what is left of the action, what leaks."""
    keys = ("leak", "leak_mean", "cmap", "f1", "f1_logit_half", "f1_tuned")
    raw = next((mark for mark in marks if mark.anonymizer == aggregate.RAW), None)
    rows = tuple(
        (
            mark.name,
            mark.number("action_top1"),
            aggregate.change(raw, mark, "action_top1"),
            *map(mark.number, keys),
            len(mark.by_seed),
            _strongest(mark),
        )
        for mark in marks
    )
    chance = {
        key: next((number for mark in marks if (number := mark.number(key))), None)
        for key in ("action_chance", "cmap_chance", "f1_chance")
    }
    f1 = [chance["f1_chance"]] * 3
    floor = (
        "chance",
        chance["action_chance"],
        None,
        None,
        None,
        chance["cmap_chance"],
        *f1,
        None,
        None,
    )
    return Table(
        "results",
        "Results",
        (
            "anonymizer",
            f"action top-1{UP}",
            "from raw",
            f"leak, max{DOWN}",
            f"leak, mean{DOWN}",
            f"cMAP{DOWN}",
            "F1, p > .5",
            "F1, logit > .5",
            "F1, tuned",
            "seeds",
            "strongest attacker",
        ),
        (*rows, floor),
        lead="Per cent. Mean \N{PLUS-MINUS SIGN} deviation over seeds, and the 95 % interval over test videos or images, mean "
        "of the seeds'. From raw: points of top-1 gained or lost under the same seed. A leak is cMAP above its floor, "
        "max and mean over attackers trained on anonymized data; cMAP and F1 are of the run's own fresh judge.",
        intervals=True,
    )


def _strongest(mark):
    """Who found the most, under each seed that differs."""
    names = (seed["leak_by"].split(",")[0] for seed in mark.by_seed.values() if "leak_by" in seed)
    return "; ".join(dict.fromkeys(names)) or None


def per_attacker(marks, runs):
    """One row per anonymizer and attacker, over seeds."""
    groups = {}
    for mark in marks:
        for attack in of(mark, runs):
            groups.setdefault((mark.name, aggregate.title(attack), attack["protocol"]), {})[
                attack["seed"]
            ] = attack
    rows = []
    for (name, attacker, protocol), seeds in groups.items():
        one = aggregate.Mark(
            name,
            "",
            "",
            "",
            {
                seed: {**attack, "identity_top1_interval": attack.get("identity_interval")}
                for seed, attack in seeds.items()
            },
        )
        budget = next(iter(seeds.values())).get("budget") or {}
        shares = [
            one.number(key) for key in ("cmap", "cmap_above_floor", "f1_tuned", "identity_top1")
        ]
        rows.append(
            (
                name,
                attacker,
                protocol or "run",
                *shares,
                _raw_number(seeds, "psnr"),
                _raw_number(seeds, "ssim"),
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
            "above floor",
            "F1, tuned",
            "identity top-1",
            "PSNR dB",
            "SSIM",
            "steps",
            "parameters",
        ),
        tuple(rows),
        lead="What each attacker finds behind each anonymizer, in per cent; judge: the fresh f_B' of the run. The "
        "strongest one counts.",
    )


def per_attribute(marks, runs):
    """AP of each attribute, by the attacker that finds most of it."""
    names = list(
        dict.fromkeys(
            name
            for mark in marks
            for attack in of(mark, runs)
            for name in attack.get("average_precision") or ()
        )
    )
    rows = []
    for mark in marks:
        seeds = {}
        for attack in of(mark, runs):
            for name, value in (attack.get("average_precision") or {}).items():
                known = seeds.setdefault(attack["seed"], {})
                known[name] = max(known.get(name, value), value)
        one = aggregate.Mark(mark.name, "", "", "", seeds)
        rows.append((mark.name, *(one.number(name) for name in names)))
    return names and Table(
        "attributes",
        "Attributes",
        ("anonymizer", *names),
        tuple(rows),
        lead="Average precision of each attribute, the largest over all attackers.",
    )


def worth(marks):
    """Hypervolume and area of all anonymizers, of the fixed ones and of the trained ones."""
    rows = []
    for name, kind in (("all", None), ("fixed", False), ("trained", True)):
        if found := aggregate.worth(marks, kind):
            rows.append((name, found["hypervolume"], found["area"], found["points"]))
    return rows and Table(
        "frontier",
        "The frontier in numbers",
        ("anonymizers", f"hypervolume{UP}", f"area{UP}", "points"),
        tuple(rows),
        (
            "Reference points: raw video (its top-1, its leak) and chance (top-1 of the commonest class, no leak). "
            "Hypervolume: share of the box between them that is beaten; 0 for raw and chance alone. Area: under utility "
            "over privacy, straight from point to point; 50 for raw or nothing by the toss of a coin.",
        ),
    )


def further(marks):
    """Identity, flicker and reconstruction, where they were measured."""
    shares = ("identity_top1", "identity_chance", "tar_at_far_0.01", "tar_at_far_0.1")
    others = ("flicker", "psnr", "ssim", "ms_ssim")
    rows = [
        (mark.name, *map(mark.number, shares), *[_raw_number(mark.by_seed, key) for key in others])
        for mark in marks
    ]
    rows = [row for row in rows if any(cell is not None for cell in row[1:])]
    return rows and Table(
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
        lead="Identity, in per cent: top-1 of a closed set; share of pairs of one person that are accepted where that "
        "share of pairs of two is accepted too. Flicker: mean temporal difference of the output beyond that of the "
        "input, pixels in [0, 1]. PSNR and SSIM: how close a reconstruction comes to the raw picture, mean over "
        "seeds.",
    )


def of(mark, runs):
    """The attacks of runs that belong to a mark, each once; "run": whose."""
    own = [run for run in runs if run.setting == mark.setting and mark.label in ("", run.label)]
    return aggregate.once(
        attack | {"run": run}
        for run in own
        for attack in aggregate.attacks(run, mark.anonymizer, mark.probe)
    )


def gates(runs):
    """[{"run", "protocol", "gate", "attacker", "value", "bound", "passed"}, ..] of all evaluations."""
    return [
        {"run": run.folder.name, "protocol": protocol, **gate}
        for run in runs
        for protocol, found in run.evaluations.items()
        for gate in found.get("gates", [])
    ]


def missing(marks, runs, found_gates):
    """What a reader could take for done, a sentence each."""
    lines = []
    few = sorted({mark.name for mark in marks if len(mark.by_seed) < SEEDS})
    if few:
        lines.append(
            f"Fewer than {SEEDS} seeds: {load_runs.in_short(few)}. A difference between two rows may be the seed's doing."
        )
    bare = [run.folder.name for run in runs if not run.evaluations]
    if bare:
        lines.append(
            f"No evaluation: {load_runs.in_short(bare)}. The only attacker there is the run's own judge; python -m "
            "tfanon.evaluate --run_dir=RUN --protocol=strict adds the others."
        )
    tried = {
        attack["attacker"].partition("+")[0] for mark in marks for attack in of(mark, runs)
    } | ({"fresh"} if runs else set())
    if untried := [name for name in KNOWN if name not in tried]:
        lines.append(f"Attackers that were not tried: {', '.join(untried)}.")
    if not found_gates:
        lines.append(
            "No gate was run: nothing shows that an attacker reads raw data and finds nothing in noise."
        )
    for alike in aggregate.grouped(marks).values():
        met = {
            tuple(seed["attacked_by"])
            for mark in alike
            for seed in mark.by_seed.values()
            if mark.number("leak")
        }
        if len(met) > 1:
            lines.append(
                f"Not every anonymizer met the same attackers ({min(map(len, met))} to {max(map(len, met))} of "
                "them): a maximum over more, or over stronger ones, is larger."
            )
    unplaced = list(dict.fromkeys(mark.name for mark in marks if not mark.placed))
    if unplaced:
        lines.append(
            f"Without a top-1 or a leak, so not on the frontier: {load_runs.in_short(unplaced)}."
        )
    raws = [mark for mark in marks if mark.anonymizer == aggregate.RAW]
    if not raws:
        lines.append(
            "Raw video was not measured: there is nothing to compare with, and no frontier in numbers."
        )
    elif not all(map(aggregate.readable, raws)):
        lines.append(
            "The judges find nothing in raw video under some seed, so what they miss elsewhere proves nothing: no "
            "frontier in numbers. Train them longer."
        )
    if better := _better_than_raw(marks):
        lines.append(
            f"The judge of the action names more behind {load_runs.in_short(better)} than on raw video, which lacks "
            "nothing: it had too few clips or too few steps, and its top-1 says little."
        )
    return list(dict.fromkeys(lines))


def _better_than_raw(marks):
    """Names of the marks behind which top-1 is higher than on raw video by more than LUCK, mean of the seeds."""
    names = []
    for alike in aggregate.grouped(marks).values():
        raw = next((mark for mark in alike if mark.anonymizer == aggregate.RAW), None)
        gains = {mark.name: aggregate.change(raw, mark, "action_top1") for mark in alike}
        names += [name for name, gain in gains.items() if gain and gain.mean > LUCK]
    return list(dict.fromkeys(names))


def still_learning(series):
    """Sentences on attackers whose held-out score was still rising.  series: {name: ([(step, score), ..], unit)}."""
    rises = {
        name: (unit.times * (event_files.rise(points) or 0), unit)
        for name, (points, unit) in series.items()
    }
    rising = [
        f"{name} ({gain:.1f} {unit.name})"
        for name, (gain, unit) in rises.items()
        if gain > unit.flat
    ]
    return (
        [
            f"Attackers that still learned in the last quarter of their training, so that the leak may be larger: "
            f"{load_runs.in_short(rising)}."
        ]
        if rising
        else []
    )


def card(runs):
    """[(heading, [lines]), ..]: what the anonymizers are, what was tried against them, what they do not hide."""
    c = runs[0].config
    kinds = sorted(
        {
            (run.config.anonymizer, run.config.anonymizer_width, run.config.anonymizer_output)
            for run in runs
        }
    )
    protocols = sorted({protocol for run in runs for protocol in run.evaluations})
    return [
        (
            "What it is",
            [
                f"f_A: {name}, width {width:g}, {output} output, {c.resolution} x {c.resolution} pixels."
                for name, width, output in kinds
            ],
        ),
        (
            "Trained on",
            sorted(
                {
                    f"Clips of {run.config.clip_source}, images of {run.config.image_source}; seed "
                    f"{run.seed}."
                    for run in runs
                }
            ),
        ),
        (
            "Attacked by",
            [
                f"Protocols: {', '.join(protocols) or 'none beyond the fresh judges of the run'}. Every "
                "attacker owns f_A and its training data."
            ],
        ),
        (
            "Meant for",
            [
                "Research, and a judgement of whether an anonymizer is good enough for a purpose; it replaces "
                "no review of the pictures, and no statement of law is made."
            ],
        ),
        ("Not hidden", list(NOT_HIDDEN)),
    ]


def _raw_number(seeds, key):
    """A plain mean of numbers that are no shares; None where none is known."""
    values = [seed[key] for seed in seeds.values() if isinstance(seed.get(key), (int, float))]
    return float(sum(values) / len(values)) if values else None
