"""Adversarial training of f_A, f_T and f_B: Algorithm 1, lines 13-20; and supervised training."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfanon.core.config import Config
from tfanon.training import distribution, losses
from tfanon.training.objectives import penalty

Batch = penalty.Batch


class PrebuiltModel(keras.Model):
    """A model that `compile` builds completely, so that Keras need not look at a first batch.

    The train steps of its subclasses contain no Python branch on a tensor. They are traced as they
    are, which is a quarter faster than with AutoGraph.
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Do nothing: Keras would draw a batch here, which fails with several workers."""


class MinimaxModel(PrebuiltModel):
    """The anonymizer f_A against its two adversaries f_T (action) and f_B (privacy).

    `fit` takes a dataset of pairs (batch_1, batch_2), each a dict as described in `data.batch`.

    Args:
        f_A: Anonymizer: frames ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]`` in [0, 1] to the same
            shape.
        f_T: Action network: clips to logits ``[N, K]``.
        f_B: Privacy network: images ``[N, H, W, 3]`` to embeddings ``[N, D]``, or to what the
            objective asks for.
        config: Configuration; its section about losses is used.
        objective: An objective of `tfanon.training.objectives`; None for the paper's.
    """

    def __init__(
        self,
        f_A: keras.Model,
        f_T: keras.Model,
        f_B: keras.Model,
        config: Config,
        objective: penalty.PenaltyObjective | None = None,
    ) -> None:
        super().__init__(name="minimax")
        self.f_A, self.f_T, self.f_B, self.config = f_A, f_T, f_B, config
        self.objective = objective or penalty.build(config)
        # The names are tags of event files, the order decides the paths in checkpoints.
        anonymizer_means = ["L_A", "L_T", "L_B", "L_P", *self.objective.extra_terms]
        change_means = ["rms", "active"]
        adversary_means = ["judge_L_T", "judge_L_B", "judge_top1"]
        names = anonymizer_means + change_means + adversary_means
        self.means = {name: keras.metrics.Mean(name) for name in names}
        # The largest change of the whole training; a weight, so that checkpoints hold it.
        self.largest_change = self.add_weight(
            name="largest_change",
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def compile(
        self,
        optimizer_A: keras.optimizers.Optimizer,
        optimizer_T: keras.optimizers.Optimizer,
        optimizer_B: keras.optimizers.Optimizer,
        jit_compile: bool = False,
    ) -> None:
        """Build the three optimizers; call it inside the strategy's scope and before `fit`.

        Args:
            optimizer_A: Optimizer of the anonymizer.
            optimizer_T: Optimizer of the action network.
            optimizer_B: Optimizer of the privacy network.
            jit_compile: Compile the train step with XLA.
        """
        # compile() takes one optimizer. Keras saves those that are attributes of the model, too.
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.optimizer_A, self.optimizer_T, self.optimizer_B = optimizer_A, optimizer_T, optimizer_B
        optimizer_A.build(self.f_A.trainable_variables)
        optimizer_T.build(self.f_T.trainable_variables)
        optimizer_B.build(self.f_B.trainable_variables)
        if self.config.restart_every:
            variables = self._restarted_variables()
            # Read before `fit` restores a checkpoint, so that a resumed run restarts f_B alike.
            self.initial_values = [keras.ops.convert_to_numpy(variable) for variable in variables]
        self.built = True

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batches: tuple[Batch, Batch]) -> dict[str, tf.Tensor]:
        """Algorithm 1, lines 15-19: update the anonymizer, then its two adversaries.

        Args:
            batches: The batch of each step. Figure 1 updates the adversaries on the next batch.

        Returns:
            Means of the logged quantities since the metrics were last reset.
        """
        batch_1, batch_2 = batches
        self._step_1_anonymizer(batch_1)
        self._step_2_adversaries(batch_2)
        return {
            name: distribution.shape_for_logs(mean.result()) for name, mean in self.means.items()
        }

    def _step_1_anonymizer(self, batch: Batch) -> None:
        """theta_A <- theta_A - alpha_A grad_A [L_T - L_B + lambda L_P] (Eq. 3); f_T, f_B frozen."""
        with trainable_tape(self.f_A) as tape:
            anon = self.anonymize_batch(batch, training=True)
            L_A, terms = self.objective.anonymizer_loss(self.f_T, self.f_B, batch, anon)
            # scale_loss changes the loss only in float16, see phases.make_optimizer.
            loss = self.optimizer_A.scale_loss(distribution.divide_by_replicas(L_A))
        apply_gradients(tape, loss, self.f_A, self.optimizer_A)

        # Logged per clip, whichever reduction Eq. 4 uses.
        rms = losses.rms_change(batch["clips"], anon["clips"])
        active = tf.cast(rms > self.config.penalty_bound, tf.float32)
        self._update_means(L_A=L_A, **terms, rms=rms, active=active)
        self._update_largest_change(
            losses.rms_change(batch["clips"], anon["clips"], self.config.penalty_reduction)
        )

    def _step_2_adversaries(self, batch: Batch) -> None:
        """theta_T <- theta_T - alpha_T grad_T L_T, theta_B likewise with L_B; f_A frozen."""
        # Outside the tapes: no gradient reaches f_A.
        anon = self.anonymize_batch(batch, training=False)
        with trainable_tape(self.f_T) as tape:
            L_T, logits = self.objective.action_loss(self.f_T, batch, anon, training=True)
            loss = self.optimizer_T.scale_loss(distribution.divide_by_replicas(L_T))
        apply_gradients(tape, loss, self.f_T, self.optimizer_T)

        with trainable_tape(self.f_B) as tape:
            L_B = self.objective.privacy_loss(self.f_B, batch, anon)
            loss = self.optimizer_B.scale_loss(distribution.divide_by_replicas(L_B))
        apply_gradients(tape, loss, self.f_B, self.optimizer_B)

        predictions = tf.argmax(logits, axis=1, output_type=batch["labels"].dtype)
        top1 = tf.cast(tf.equal(predictions, batch["labels"]), "float32")
        self._update_means(judge_L_T=L_T, judge_L_B=L_B, judge_top1=top1)

    def anonymize_batch(self, batch: Batch, training: bool) -> Batch:
        """Replace the pixels of a batch by the output of f_A.

        All frames pass through f_A together: one set of batch statistics, and the most expensive
        network runs once. A network of clips gets whole clips, and the images in a second pass.

        Args:
            batch: A dict as described in `data.batch`.
            training: Whether f_A runs in training mode.

        Returns:
            The same dict with anonymized "clips", "pairs" and, where present, "others".
        """
        if getattr(self.f_A, "takes_clips", False):
            clips = self._apply_anonymizer(batch, ("clips", "others"), 4, training)
            images = self._apply_anonymizer(batch, ("pairs",), 3, training)
            return {**batch, **clips, **images}
        frames = self._apply_anonymizer(batch, ("clips", "others", "pairs"), 3, training)
        return {**batch, **frames}

    def _apply_anonymizer(
        self, batch: Batch, keys: tuple[str, ...], rank: int, training: bool
    ) -> Batch:
        """Run f_A once on the pixels under `keys`: on frames with rank 3, on clips with rank 4."""
        pixels = {key: batch[key] for key in keys if key in batch}
        flat = []
        for x in pixels.values():
            flat.append(tf.reshape(x, tf.concat([[-1], tf.shape(x)[-rank:]], axis=0)))
        anon = self.f_A(tf.concat(flat, axis=0), training=training)
        parts = tf.split(anon, [tf.shape(x)[0] for x in flat])
        return {
            key: tf.reshape(part, tf.shape(pixels[key]))
            for key, part in zip(pixels, parts, strict=True)
        }

    def restart_privacy_network_when_due(self, step: int) -> None:
        """Reset f_B and its optimizer every `config.restart_every` steps; never if that is 0.

        An anonymizer that fools only the current f_B cannot rely on it for long.

        Args:
            step: Number of the step that comes next, from 0.
        """
        if step and self.config.restart_every and step % self.config.restart_every == 0:
            variables = self._restarted_variables()
            for variable, value in zip(variables, self.initial_values, strict=True):
                variable.assign(value)

    def _restarted_variables(self) -> list[Any]:
        return [*self.f_B.weights, *self.optimizer_B.variables]

    def _update_means(self, **values: tf.Tensor) -> None:
        for name, value in values.items():
            self.means[name].update_state(value)

    def _update_largest_change(self, rms: tf.Tensor) -> None:
        """Update the largest change with the RMS that Eq. 4 compares with B, in any reduction."""
        largest = tf.reduce_max(distribution.gather_from_replicas(tf.reshape(rms, [-1])))
        # All replicas have gathered the same rows, so the value of any replica is right.
        self.largest_change.assign(tf.maximum(self.largest_change, tf.cast(largest, "float32")))


class SupervisedModel(PrebuiltModel):
    """One network that minimizes one loss on the output of a frozen f_A: Eq. 5, f_T' and f_B'.

    `fit` takes a dataset of pairs (x, y).

    Args:
        network: The network to train.
        loss: Function of (y, network(f_A(x))) that returns one value per example.
        f_A: Frozen anonymizer; None to train on raw input.
    """

    def __init__(
        self,
        network: keras.Model,
        loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        f_A: keras.Model | None = None,
    ) -> None:
        super().__init__(name="learner")
        self.network, self.loss_function, self.f_A = network, loss, f_A
        self.mean = keras.metrics.Mean("loss")

    def compile(self, optimizer: keras.optimizers.Optimizer, jit_compile: bool = False) -> None:
        """Build the optimizer; call it inside the strategy's scope and before `fit`.

        Args:
            optimizer: Optimizer of the network.
            jit_compile: Compile the train step with XLA.
        """
        super().compile(optimizer=None, jit_compile=jit_compile)
        # Checkpoints store the optimizer under the attribute's name; `optimizer` is Keras' own.
        self.mover = optimizer
        self.mover.build(self.network.trainable_variables)
        # One trace serves all epochs.
        self.forward = tf.function(self.call, reduce_retracing=True, autograph=False)
        self.built = True

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Update the network: theta <- theta - alpha grad loss(y, network(f_A(x))), f_A frozen.

        Args:
            batch: Inputs x and targets y.

        Returns:
            {"loss": mean since the metrics were last reset}.
        """
        x, y = batch
        # Outside the tape: no gradient reaches f_A.
        x = self.anonymize_input(x)
        with trainable_tape(self.network) as tape:
            loss = tf.reduce_mean(self.loss_function(y, self.network(x, training=True)))
            scaled = self.mover.scale_loss(distribution.divide_by_replicas(loss))
        apply_gradients(tape, scaled, self.network, self.mover)
        self.mean.update_state(loss)
        return {"loss": distribution.shape_for_logs(self.mean.result())}

    def anonymize_input(self, x: tf.Tensor) -> tf.Tensor:
        """Return f_A(x), or x itself without an f_A."""
        if self.f_A is None:
            return x
        return self.f_A(x, training=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return network(f_A(x)), both in inference mode."""
        return self.network(self.anonymize_input(x), training=False)


@contextlib.contextmanager
def trainable_tape(network: keras.Model) -> Iterator[tf.GradientTape]:
    """Record gradients of one network's weights; every other network under the tape is frozen.

    Args:
        network: The only network whose variables are watched.

    Yields:
        The tape, for `apply_gradients`.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        # A tape watches TensorFlow's variables, which Keras variables hold as `value`.
        tape.watch([variable.value for variable in network.trainable_variables])
        yield tape


def apply_gradients(
    tape: tf.GradientTape,
    loss: tf.Tensor,
    network: keras.Model,
    optimizer: keras.optimizers.Optimizer,
) -> None:
    """Update one network: theta <- theta - alpha grad loss.

    Args:
        tape: Tape of `trainable_tape(network)` under which the loss was computed.
        loss: Scalar loss, scaled by the optimizer and divided by the number of replicas.
        network: The network to update.
        optimizer: Its optimizer.
    """
    variables = network.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply(gradients, variables)
