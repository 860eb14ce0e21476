"""Algorithm 1, lines 13-20: f_A, f_T and f_B play their minimax game."""

import contextlib

import keras
import tensorflow as tf

from tfanon.training import distribution, losses
from tfanon.training.objectives import penalty


class PrebuiltModel(keras.Model):
    """A model that `compile` has built whole: nothing is left for Keras to find out from a first batch.

    Its steps hold no Python branch on a tensor, so they are traced as they stand: a quarter faster than by AutoGraph.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Keras would draw a batch here, which fails where a strategy spans several workers."""


class MinimaxModel(PrebuiltModel):
    """The anonymizer f_A against its two judges f_T (action) and f_B (privacy).

    f_A: frames [N, H, W, 3] or clips [N, T, H, W, 3] in [0, 1] -> the same shape.
    f_T: clips -> logits [N, K].  f_B: images [N, H, W, 3] -> embedding [N, D].
    config: a tfanon.core.config.Config; its losses section is used.  objective: of tfanon/training/objectives; None is the paper's.
    `fit` takes a dataset of (batch_1, batch_2), each a dict as in data.batch.
    """

    def __init__(self, f_A, f_T, f_B, config, objective=None):
        super().__init__(name="minimax")
        self.f_A, self.f_T, self.f_B, self.config = f_A, f_T, f_B, config
        self.objective = objective or penalty.build(config)
        self.means = {
            name: keras.metrics.Mean(name)
            for name in (
                "L_A",
                "L_T",
                "L_B",
                "L_P",
                *self.objective.extra_terms,
                "rms",
                "active",
                "judge_L_T",
                "judge_L_B",
                "judge_top1",
            )
        }
        self.largest_change = (
            self.add_weight(  # of the whole game; a weight, so that a checkpoint holds it
                name="largest_change",
                shape=(),
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
            )
        )

    def compile(self, optimizer_A, optimizer_T, optimizer_B, jit_compile=False):
        """Build the three optimizers; inside the strategy's scope, before `fit`."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.optimizer_A, self.optimizer_T, self.optimizer_B = optimizer_A, optimizer_T, optimizer_B
        for network, optimizer in self._networks_and_optimizers():
            optimizer.build(network.trainable_variables)
        if self.config.restart_every:
            self.initial_values = [
                keras.ops.convert_to_numpy(variable) for variable in self._restarted_variables()
            ]
        self.built = True

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batches):
        """Algorithm 1, lines 15-19: the anonymizer moves, then its two judges (Figure 1: on the next batch)."""
        batch_1, batch_2 = batches
        self._step_1_anonymizer(
            batch_1
        )  # theta_A <- theta_A - alpha_A grad [L_T - L_B + lambda L_P]  (Eq. 3)
        self._step_2_adversaries(
            batch_2
        )  # theta_T, theta_B <- descend L_T, L_B with theta_A held still
        return {
            name: distribution.shape_for_logs(mean.result()) for name, mean in self.means.items()
        }

    def _step_1_anonymizer(self, batch):
        with trainable_tape(self.f_A) as tape:
            anon = self.anonymized(batch, training=True)
            L_A, terms = self.objective.anonymizer(self.f_T, self.f_B, batch, anon)
            loss = self.optimizer_A.scale_loss(distribution.divide_by_replicas(L_A))
        apply_gradients(tape, loss, self.f_A, self.optimizer_A)
        rms = losses.rms_change(batch["clips"], anon["clips"])
        active = tf.cast(rms > self.config.penalty_bound, tf.float32)
        self._record(L_A=L_A, **terms, rms=rms, active=active)
        self._update_largest_change(
            losses.rms_change(batch["clips"], anon["clips"], self.config.penalty_reduction)
        )

    def _step_2_adversaries(self, batch):
        anon = self.anonymized(batch, training=False)  # no tape: f_A stands
        with trainable_tape(self.f_T) as tape:
            L_T, logits = self.objective.action(self.f_T, batch, anon, training=True)
            loss = self.optimizer_T.scale_loss(distribution.divide_by_replicas(L_T))
        apply_gradients(tape, loss, self.f_T, self.optimizer_T)
        with trainable_tape(self.f_B) as tape:
            L_B = self.objective.privacy(self.f_B, batch, anon)
            loss = self.optimizer_B.scale_loss(distribution.divide_by_replicas(L_B))
        apply_gradients(tape, loss, self.f_B, self.optimizer_B)
        top1 = tf.cast(
            tf.equal(tf.argmax(logits, axis=1, output_type=batch["labels"].dtype), batch["labels"]),
            "float32",
        )
        self._record(judge_L_T=L_T, judge_L_B=L_B, judge_top1=top1)

    def anonymized(self, batch, training):
        """The batch with what f_A makes of its pixels.

        All frames go through f_A in one pass: one set of batch statistics, and the dearest network runs once. A video
        network gets the clips whole, and the images in a pass of their own.
        """
        anon = dict(batch)
        video = getattr(self.f_A, "video", False)
        passes = (
            {("clips", "others"): 4, ("pairs",): 3} if video else {("clips", "others", "pairs"): 3}
        )
        for names, rank in passes.items():
            anon.update(
                self._apply_anonymizer(
                    {name: batch[name] for name in names if name in batch}, rank, training
                )
            )
        return anon

    def _apply_anonymizer(self, streams, rank, training):
        """f_A on {name: pixels}.  rank: 3 where f_A is given frames [-1, H, W, 3], 4 for clips."""
        flat = [
            tf.reshape(x, tf.concat([[-1], tf.shape(x)[-rank:]], axis=0)) for x in streams.values()
        ]
        anon = self.f_A(tf.concat(flat, axis=0), training=training)
        parts = tf.split(anon, [tf.shape(x)[0] for x in flat])
        return {
            name: tf.reshape(part, tf.shape(x)) for (name, x), part in zip(streams.items(), parts)
        }

    def restart_privacy_network_when_due(self, step):
        """Every config.restart_every steps f_B starts afresh: an f_A that has only outrun this one is found out."""
        if step and self.config.restart_every and step % self.config.restart_every == 0:
            for variable, start in zip(
                self._restarted_variables(), self.initial_values, strict=True
            ):
                variable.assign(start)

    def _restarted_variables(self):
        return [*self.f_B.weights, *self.optimizer_B.variables]

    def _networks_and_optimizers(self):
        return (
            (self.f_A, self.optimizer_A),
            (self.f_T, self.optimizer_T),
            (self.f_B, self.optimizer_B),
        )

    def _record(self, **values):
        for name, value in values.items():
            self.means[name].update_state(value)

    def _update_largest_change(self, rms):
        """rms: what Eq. 4 holds against B, whatever its reduction leaves of a batch."""
        largest = tf.reduce_max(distribution.gather_from_replicas(tf.reshape(rms, [-1])))
        self.largest_change.assign(tf.maximum(self.largest_change, tf.cast(largest, "float32")))


class SupervisedModel(PrebuiltModel):
    """One network that descends one loss, behind an f_A that stands still: Eq. 5, f_T' and f_B'.

    `fit` takes a dataset of (x, y); loss(y, network(f_A(x))) gives one value per example.
    """

    def __init__(self, network, loss, f_A=None):
        super().__init__(name="learner")
        self.network, self.loss_function, self.f_A = network, loss, f_A
        self.mean = keras.metrics.Mean("loss")

    def compile(self, optimizer, jit_compile=False):
        """Build the optimizer; inside the strategy's scope, before `fit`."""
        super().compile(optimizer=None, jit_compile=jit_compile)
        self.mover = optimizer
        self.mover.build(self.network.trainable_variables)
        self.forward = tf.function(
            self.call, reduce_retracing=True, autograph=False
        )  # one trace for all epochs
        self.built = True

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch):
        x, y = batch
        x = self.anonymized(x)
        with trainable_tape(self.network) as tape:
            loss = tf.reduce_mean(self.loss_function(y, self.network(x, training=True)))
            scaled = self.mover.scale_loss(distribution.divide_by_replicas(loss))
        apply_gradients(tape, scaled, self.network, self.mover)
        self.mean.update_state(loss)
        return {"loss": distribution.shape_for_logs(self.mean.result())}

    def anonymized(self, x):
        return x if self.f_A is None else self.f_A(x, training=False)

    def call(self, x):
        return self.network(self.anonymized(x), training=False)


@contextlib.contextmanager
def trainable_tape(network):
    """A tape that watches the one network that moves; whatever else is computed under it is held still."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.attack_if_due([variable.value for variable in network.trainable_variables])
        yield tape


def apply_gradients(tape, loss, network, optimizer):
    """theta <- theta - alpha grad loss, for one network."""
    variables = network.trainable_variables
    optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
