"""Utility and privacy of an exported file, by the judges that the run trained behind f_A and nobody else.

A judge that was trained behind the float32 network is what an attacker has who knows it. It does not say whether a
fresh judge, trained behind an 8-bit file, would find more there.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfanon.data import pipeline
from tfanon.exporting import compare
from tfanon.metrics import criteria
from tfanon.metrics import scores as metrics
from tfanon.training import run_folder


class Judges:
    """f_T' and the f_B' of a finished run, on its test splits.

    size: (H, W) at which the files work; clips and images are read at its longer side.  eval_clips: clips per video.
    What a judge sees has the resolution of the run: it is resized where the files work at another.
    """

    def __init__(self, run, size, eval_clips=0):
        self.run, self.size = run, size
        self.config = dataclasses.replace(
            run.config, resolution=max(size), eval_clips=eval_clips or run.config.eval_clips
        )
        self.action = _graph(run_folder.load_action_evaluator(run), 5)
        self.privacy = {
            probe: _graph(run_folder.load_attacker(run, probe), 4) for probe in run.tables.probes
        }

    def scores(self, anonymize):
        """{"action_top1": .., PROBE: {"cmap": .., "f1": ..}, ..}; shares in [0, 1].

        anonymize: float32 [n, H, W, 3] in [0, 1] -> the same, as a numpy array.
        """
        clips = pipeline.evaluation_clips(self.run.tables.action.test, self.config)
        found = {
            "action_top1": criteria.score_action_top1(self._behind(anonymize, self.action), clips)
        }
        for probe, judge in self.privacy.items():
            images = pipeline.evaluation_images(self.run.tables.probes[probe].test, self.config)
            probabilities, truth, _ = criteria.predict_attributes(
                self._behind(anonymize, judge), images
            )
            found[probe] = {
                "cmap": metrics.cmap_score(probabilities, truth),
                "f1": metrics.macro_f1_score(probabilities, truth),
            }
        return found

    def _behind(self, anonymize, judge):
        def forward(x):
            frames = tf.reshape(x, [-1, *x.shape[-3:]])
            y = self._resized(
                anonymize(self._resized(frames, self.size)), (self.run.config.resolution,) * 2
            )
            return judge(tf.reshape(y, [*x.shape[:-3], *y.shape[-3:]]))

        return criteria.Predictor(forward)

    def _resized(self, frames, size):
        return (
            frames
            if tuple(frames.shape[1:3]) == tuple(size)
            else tf.image.resize(frames, size, antialias=True)
        )


def of_keras(f_A):
    """f_A as Judges.scores wants it."""
    graph = tf.function(lambda x: f_A(x, training=False), reduce_retracing=True)
    return lambda frames: np.clip(graph(frames), 0, 1)


def of_file(path):
    """An exported file as Judges.scores wants it: grey levels in, grey levels out, frames one by one."""
    network = compare.load(path)

    def anonymize(frames):
        levels = np.round(np.asarray(frames) * 255).astype(np.uint8)
        return np.concatenate([network(frame[None]) for frame in levels]) / np.float32(255)

    return anonymize


def check(name, found, keras, points):
    """Raises Refused where the file is worse than Keras by more than so many points of top-1 or of cMAP."""
    lost = 100 * (keras["action_top1"] - found["action_top1"])
    if lost > points:
        raise compare.Refused(
            f"{name} loses {lost:.1f} points of action top-1 against Keras; {points:g} are allowed"
        )
    for probe in keras.keys() - {"action_top1"}:
        leaked = 100 * (found[probe]["cmap"] - keras[probe]["cmap"])
        if leaked > points:
            raise compare.Refused(
                f"{name} leaks {leaked:.1f} points of cMAP more than Keras ({probe}); {points:g} are "
                "allowed"
            )


def _graph(network, rank):
    signature = [tf.TensorSpec([None] * (rank - 1) + [3], tf.float32)]
    return tf.function(lambda x: network(x, training=False), input_signature=signature)
