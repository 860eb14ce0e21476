"""What the attackers share: the run they attack, their networks, and the form of what they find."""

import dataclasses
import pathlib

import keras
import tensorflow as tf

from tfanon.core import registry
from tfanon.media import limits
from tfanon.metrics import criteria
from tfanon.metrics import scores as metrics
from tfanon.models import per_frame
from tfanon.pretrained import load_pretrained
from tfanon.training import phases

SCRATCH = "scratch"


@dataclasses.dataclass(frozen=True)
class AttackRun(phases.TrainingRun):
    """A run under attack: its tables and settings, `workdir` being the folder of the attacks.

    number, count: of the attack in hand, for the progress bar.
    """

    number: int = 1
    count: int = 1

    def get_phase(self, name):
        """The Phase of an attack's part."""
        return phases.Phase(self.config, name, self.number, self.count)


def get_weights_path(start):
    """`start` as tfanon.pretrained.load_pretrained takes it."""
    return "" if start == SCRATCH else start


def get_start_name(start):
    """`start` in names and results: "scratch", or the file's own name."""
    return pathlib.Path(start).name


def make_phase_name(attacker, network, start, probe, anonymizer):
    """What an attack is called among the phases of an evaluation."""
    return f"{attacker}-{network}-{get_start_name(start)}-{probe}-{anonymizer}"


def list_video_tasks(run):
    """The probes whose rows are whole videos."""
    return [
        probe
        for probe, splits in run.tables.probes.items()
        if splits.test.frames is None
        and all(limits.is_video_path(str(path)) for path in splits.test.paths)
    ]


def build_raw_anonymizer():
    return registry.load_module("anonymizers", "raw").build()


def compose(f_A, then):
    """f_A and what follows it, as an f_A."""
    return lambda x, training=False: then(f_A(x, training=False))


def build_feature_extractor(network):
    """A judge without its last layer, with the same weights: images or clips -> [N, F]."""
    if isinstance(network, per_frame.OverTime):
        pooled = keras.Input(network.features.output.shape[1:])
        nothing = keras.Model(pooled, keras.layers.Identity()(pooled), name="nothing")
        return per_frame.OverTime(network.features, nothing, name="trunk")
    return keras.Model(
        network.input, network.get_layer("logits").input, name="trunk", dtype="float32"
    )


def pool_features_over_time(network):
    """A judge of images that also judges clips, by the same weights: features averaged over time, then one layer."""
    if isinstance(network, per_frame.OverTime):
        return network
    features, logits = build_feature_extractor(network), network.get_layer("logits")
    pooled = keras.Input(logits.input.shape[1:])
    head = keras.Model(pooled, logits(pooled), name="head")
    return per_frame.OverTime(features, head, name=f"{network.name}_over_time")


def build_privacy_network(network, start, attributes):
    """A fresh privacy network."""
    return load_pretrained.build_pretrained_network(
        "privacy", network, get_weights_path(start), attributes=attributes
    )


def score_classifier(run, probe, forward, views=phases.FRAME_VIEW):
    """evaluation.privacy_scores of x -> logits on a probe's test split; F1 is tuned on the held-out one."""
    splits, config = run.tables.probes[probe], run.config
    graph = tf.function(forward, reduce_retracing=True, autograph=False)
    return criteria.score_privacy(
        criteria.Predictor(graph),
        views.make_evaluation_dataset(splits.test, config),
        views.make_evaluation_dataset(splits.tuning, config),
        splits.test,
    )


def make_result_entry(anonymizer, attacker, network, start, probe, found):
    """One attack as results.json of an evaluation holds it."""
    return {
        "anonymizer": anonymizer,
        "attacker": attacker,
        "network": network,
        "start": get_start_name(start),
        "probe": probe,
        **found,
    }


def get_leakage(entry):
    """What an entry reads above its floor; None where it is no share of anything, as a PSNR is not."""
    if "cmap" in entry:
        return entry["cmap_above_floor"]
    return (
        metrics.leakage_above_chance(entry["identity_top1"], entry["identity_chance"])
        if "identity_top1" in entry
        else None
    )
