"""An attack while f_A is trained: does a small fresh classifier find less than it did some epochs ago?"""

import keras
import numpy as np
import tensorflow as tf

from tfanon.attacks.common import attack_run
from tfanon.metrics import criteria
from tfanon.metrics import scores as metrics
from tfanon.summaries import tensorboard
from tfanon.training import losses, phases, trainer

NAME = "attack/cmap_above_floor"
STEPS = 60


class PrivacyAttackCallback(keras.callbacks.Callback):
    """Every `every` epochs a fresh classifier learns the attributes behind f_A, for `steps` steps, on frames.

    f_A: whatever is trained, as a network of frames.  splits: the data set that is attacked; the held-out slice is
    read, or training where there is none, and the test split never.  network: a file of tfanon/models/privacy.
    It starts from the same weights every time.
    What it finds is a lower bound: an attacker with more steps finds more.
    """

    def __init__(self, f_A, splits, config, every=1, steps=STEPS, network="small_resnet"):
        super().__init__()
        self.every, self.found = every, {}
        self.batches = phases.FRAMES.train(splits.train, config, 0, steps)
        self.held_out = phases.FRAMES.evaluation(splits.tuning, config)
        reader = attack_run.reader(network, attack_run.SCRATCH, len(splits.train.attribute_names))
        self.learner = trainer.Learner(reader, losses.attributes, f_A)
        self.learner.compile(keras.optimizers.Adam(config.rate_privacy_judge))
        self._moved = [*reader.variables, *self.learner.mover.variables]
        self._first = [np.array(keras.ops.convert_to_numpy(variable)) for variable in self._moved]
        self._step = tf.function(self.learner.train_step)

    def attack(self):
        """cMAP above its floor, in [-1, 1]."""
        for variable, value in zip(self._moved, self._first):
            variable.assign(value)
        for batch in self.batches:
            self._step(batch)
        scores, truth, _ = criteria.privacy_curves(self.learner, self.held_out)
        return metrics.above_floor(metrics.cmap(scores, truth), metrics.cmap_floor(truth))

    def on_epoch_end(self, epoch, logs=None):
        """For Keras' own `fit`, whose epochs start at 0; `logs` gets the number too."""
        if (epoch + 1) % self.every == 0:
            self.found[epoch + 1] = self.attack()
            if logs is not None:
                logs[NAME] = self.found[epoch + 1]

    def watch(self, step, steps_per_epoch):
        """For the watchers of fitting.fit, which counts steps alone: writes to the TensorBoard writer that is open."""
        epoch, rest = divmod(step, steps_per_epoch)
        if not rest and epoch % self.every == 0:
            self.found[epoch] = self.attack()
            tensorboard.scalars(step, {NAME: self.found[epoch]})


def watchers(run, f_A):
    """What phases.anonymize is given for --attack_every: nothing, or one watch(step, minimax).

    All of it is built here, before the game is seeded, so that the game is the same with it and without.
    """
    config = run.config
    if not config.attack_every or not run.tables.probes:
        return []
    run.seeded("attack while f_A is trained")
    attack = PrivacyAttackCallback(
        f_A,
        next(iter(run.tables.probes.values())),
        config,
        config.attack_every,
        network=config.privacy_judge_network,
    )
    per_epoch = phases.minimax_plan(run).steps_per_epoch
    return [lambda step, minimax: attack.watch(step, per_epoch)]
