"""A small attack while f_A is trained: does the leakage fall from epoch to epoch?"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfanon.attacks.common import attack_run
from tfanon.core.config import Config
from tfanon.data.splits import DatasetSplits
from tfanon.metrics import criteria, scores
from tfanon.summaries import tensorboard
from tfanon.training import losses, phases, trainer

LEAKAGE_TAG = "attack/cmap_above_floor"
ATTACK_STEPS = 60


class PrivacyAttackCallback(keras.callbacks.Callback):
    """Train a classifier of the attributes on the output of f_A every few epochs.

    The classifier sees frames and starts from the same weights every time. Its score is a lower
    bound: an attacker with more steps finds more.

    Args:
        f_A: The network that is trained, called with frames.
        splits: The data set to attack. The classifier is scored on the held-out split, or on the
            training split if nothing is held out; never on the test split.
        config: Configuration of the run.
        every_epochs: Epochs from one attack to the next.
        steps: Training steps of each attack.
        network: A module of `tfanon.models.privacy`.

    Attributes:
        leakage_by_epoch: Leakage above chance after each attacked epoch, counted from 1.
    """

    def __init__(
        self,
        f_A: attack_run.Anonymizer,
        splits: DatasetSplits,
        config: Config,
        every_epochs: int = 1,
        steps: int = ATTACK_STEPS,
        network: str = "small_resnet",
    ) -> None:
        super().__init__()
        self.every_epochs = every_epochs
        self.leakage_by_epoch: dict[int, float] = {}
        self.batches = phases.FRAME_VIEW.make_training_dataset(splits.train, config, 0, steps)
        self.held_out = phases.FRAME_VIEW.make_evaluation_dataset(splits.tuning, config)
        f_B = attack_run.build_privacy_network(
            network, attack_run.SCRATCH, len(splits.train.attribute_names)
        )
        self.classifier = trainer.SupervisedModel(f_B, losses.attribute_cross_entropy, f_A)
        self.classifier.compile(keras.optimizers.Adam(config.lr_attack))
        self._variables = [*f_B.variables, *self.classifier.mover.variables]
        self._initial_values = []
        for variable in self._variables:
            # A copy: on a CPU the array may share memory with the variable.
            self._initial_values.append(np.array(keras.ops.convert_to_numpy(variable)))
        self._train_step = tf.function(self.classifier.train_step)

    def measure_leakage(self) -> float:
        """Train the classifier from its initial weights and score it.

        Returns:
            cMAP minus its chance level, in [-1, 1].
        """
        for variable, value in zip(self._variables, self._initial_values, strict=True):
            variable.assign(value)
        for batch in self.batches:
            self._train_step(batch)
        probabilities, truth, _ = criteria.predict_attributes(self.classifier, self.held_out)
        return scores.leakage_above_chance(
            scores.cmap_score(probabilities, truth), scores.cmap_chance(truth)
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Attack at the end of an epoch of Keras' own `fit`.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Receives the leakage as LEAKAGE_TAG.
        """
        number = epoch + 1
        if number % self.every_epochs == 0:
            self.leakage_by_epoch[number] = self.measure_leakage()
            if logs is not None:
                logs[LEAKAGE_TAG] = self.leakage_by_epoch[number]

    def attack_if_due(self, step: int, steps_per_epoch: int) -> None:
        """Attack at the end of an epoch whose turn it is; write to the open TensorBoard writer.

        For `training.loop.fit`, which counts steps and has no epochs of Keras.

        Args:
            step: Number of the finished steps.
            steps_per_epoch: Steps of an epoch.
        """
        # fit logs at the end of every epoch, so no epoch is missed.
        epoch, remainder = divmod(step, steps_per_epoch)
        if not remainder and epoch % self.every_epochs == 0:
            self.leakage_by_epoch[epoch] = self.measure_leakage()
            tensorboard.write_scalars(step, {LEAKAGE_TAG: self.leakage_by_epoch[epoch]})


def make_log_callbacks(
    run: phases.TrainingRun, f_A: keras.Model
) -> list[Callable[[int, trainer.MinimaxModel], None]]:
    """Make the log callbacks of `phases.train_anonymizer` for --attack_every_epochs.

    Args:
        run: The run.
        f_A: The anonymizer that will be trained.

    Returns:
        One callback of the step and the model; none if attacks are off or there is nothing to
        attack.
    """
    config = run.config
    if not config.attack_every_epochs or not run.data.privacy_tasks:
        return []
    # Everything is built here, before adversarial training sets its own seed: the same f_A results
    # with and without attacks.
    run.seed_for_phase("attack while f_A is trained")
    first_task = next(iter(run.data.privacy_tasks.values()))
    attack = PrivacyAttackCallback(
        f_A,
        first_task,
        config,
        config.attack_every_epochs,
        network=config.attacker_network,
    )
    steps_per_epoch = phases.plan_minimax(run).steps_per_epoch

    def attack_if_due(step: int, minimax: trainer.MinimaxModel) -> None:
        attack.attack_if_due(step, steps_per_epoch)

    return [attack_if_due]
