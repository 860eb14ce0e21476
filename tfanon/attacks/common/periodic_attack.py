"""An attack while f_A is trained: does a small fresh classifier find less than it did some epochs ago?"""

import keras
import numpy as np
import tensorflow as tf

from tfanon.attacks.common import attack_run
from tfanon.metrics import criteria
from tfanon.metrics import scores as metrics
from tfanon.summaries import tensorboard
from tfanon.training import losses, phases, trainer

LEAKAGE_TAG = "attack/cmap_above_floor"
ATTACK_STEPS = 60


class PrivacyAttackCallback(keras.callbacks.Callback):
    """Every `every` epochs a fresh classifier learns the attributes behind f_A, for `steps` steps, on frames.

    f_A: whatever is trained, as a network of frames.  splits: the data set that is attacked; the held-out slice is
    read, or training where there is none, and the test split never.  network: a file of tfanon/models/privacy.
    It starts from the same weights every time.
    What it finds is a lower bound: an attacker with more steps finds more.
    """

    def __init__(
        self, f_A, splits, config, every_epochs=1, steps=ATTACK_STEPS, network="small_resnet"
    ):
        super().__init__()
        self.every_epochs, self.leakage_by_epoch = every_epochs, {}
        self.batches = phases.FRAME_VIEW.make_training_dataset(splits.train, config, 0, steps)
        self.held_out = phases.FRAME_VIEW.make_evaluation_dataset(splits.tuning, config)
        reader = attack_run.build_privacy_network(
            network, attack_run.SCRATCH, len(splits.train.attribute_names)
        )
        self.classifier = trainer.SupervisedModel(reader, losses.attribute_cross_entropy, f_A)
        self.classifier.compile(keras.optimizers.Adam(config.lr_attack))
        self._variables = [*reader.variables, *self.classifier.mover.variables]
        self._first = [
            np.array(keras.ops.convert_to_numpy(variable)) for variable in self._variables
        ]
        self._step = tf.function(self.classifier.train_step)

    def attack(self):
        """cMAP above its floor, in [-1, 1]."""
        for variable, value in zip(self._variables, self._first):
            variable.assign(value)
        for batch in self.batches:
            self._step(batch)
        scores, truth, _ = criteria.predict_attributes(self.classifier, self.held_out)
        return metrics.leakage_above_chance(
            metrics.cmap_score(scores, truth), metrics.cmap_chance(truth)
        )

    def on_epoch_end(self, epoch, logs=None):
        """For Keras' own `fit`, whose epochs start at 0; `logs` gets the number too."""
        if (epoch + 1) % self.every_epochs == 0:
            self.leakage_by_epoch[epoch + 1] = self.attack()
            if logs is not None:
                logs[LEAKAGE_TAG] = self.leakage_by_epoch[epoch + 1]

    def attack_if_due(self, step, steps_per_epoch):
        """For the watchers of fitting.fit, which counts steps alone: writes to the TensorBoard writer that is open."""
        epoch, rest = divmod(step, steps_per_epoch)
        if not rest and epoch % self.every_epochs == 0:
            self.leakage_by_epoch[epoch] = self.attack()
            tensorboard.scalars(step, {LEAKAGE_TAG: self.leakage_by_epoch[epoch]})


def make_attack_watchers(run, f_A):
    """What phases.anonymize is given for --attack_every_epochs: nothing, or one watch(step, minimax).

    All of it is built here, before the game is seeded, so that the game is the same with it and without.
    """
    config = run.config
    if not config.attack_every_epochs or not run.tables.probes:
        return []
    run.seed_for_phase("attack while f_A is trained")
    attack = PrivacyAttackCallback(
        f_A,
        next(iter(run.tables.probes.values())),
        config,
        config.attack_every_epochs,
        network=config.attacker_network,
    )
    per_epoch = phases.plan_minimax(run).steps_per_epoch
    return [lambda step, minimax: attack.attack_if_due(step, per_epoch)]
