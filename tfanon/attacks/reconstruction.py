"""Reconstruction attack: a decoder from anonymized frames back to raw ones.

Anyone who has f_A can make pairs of raw and anonymized frames, train a decoder, and give its output
to a classifier of raw data. Published as breaking adversarial obfuscators (Jeong et al., arXiv
2208.02482). The decoder is trained on half of the training examples; the other half plays the part
of videos whose raw version the attacker has never seen. PSNR and SSIM agree only weakly with what
people recognize, so the result that counts is what the frozen attacker recognizes.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run, decoder
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.core.config import Config
from tfanon.data import pipeline
from tfanon.data.batch import Examples
from tfanon.data.splits import DatasetSplits
from tfanon.media import contact_sheet
from tfanon.summaries import samples
from tfanon.training import losses, phases, trainer

REQUIRED = fresh.REQUIRED
SSIM_WINDOW_PIXELS = 11  # of tf.image.ssim and ssim_multiscale
MS_SSIM_SCALE = 16  # ssim_multiscale halves the frames four times


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
    width: float = 1.0,
) -> list[Entry]:
    """Train a decoder and score the frozen attacker on its output, for each privacy task.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: As in `fresh.attack`, of the classifier on raw data.
        start: As in `fresh.attack`.
        width: Channels of the decoder as a fraction of `decoder.LEVEL_CHANNELS`.

    Returns:
        Two entries per privacy task: how similar the reconstruction is to the raw frames, and what
        the frozen attacker recognizes in it.
    """
    network = network or run.config.attacker_network
    entries = []
    for task in run.data.privacy_tasks:
        phase = run.get_phase(f"reconstruction-{width:g}-{task}-{name}")
        similarity, get_decoder = _train_decoder(run, phase, f_A, task, width)
        _write_sample_sheet(run, phase, task, name, f_A, get_decoder)
        frozen_phase_name = attack_run.make_phase_name(
            f"reconstruction+frozen-{width:g}", network, start, task, name
        )
        leakage = _attack_reconstruction(
            run, frozen_phase_name, f_A, get_decoder, task, network, start
        )
        # The attack costs what its decoder costs; the classifier existed before.
        leakage = {**leakage, "budget": similarity["budget"]}
        decoder_name = decoder.get_decoder_name(width)
        entries += [
            attack_run.make_result_entry(
                "reconstruction", decoder_name, attack_run.SCRATCH, task, name, similarity
            ),
            attack_run.make_result_entry(
                "reconstruction+frozen", network, start, task, name, leakage
            ),
        ]
    return entries


def _train_decoder(
    run: AttackRun, phase: phases.Phase, f_A: attack_run.Anonymizer, task: str, width: float
) -> tuple[dict[str, Any], Callable[[], keras.Model]]:
    """Return the similarity of the reconstruction, and a function that loads the trained decoder.

    If everything is stored already, the decoder is never built.
    """

    # Built once for training, the sample sheet and the attack on its output.
    @functools.cache
    def get_decoder() -> keras.Model:
        run.seed_for_phase(f"reconstruction-{task}")
        with run.strategy.scope():
            network = decoder.build_decoder(width)
        # Loads nothing before the phase is finished: training starts from the seeded weights.
        phase.load_result(network)
        return network

    stored = phase.load_result()
    if stored is not None:
        return stored, get_decoder
    with run.strategy.scope():
        model = trainer.SupervisedModel(get_decoder(), losses.reconstruction, f_A)
    splits = _halve_training_split(run.data.privacy_tasks[task], run.config.seed)
    view = phases.InputView(_make_training_pairs, _make_evaluation_frames, "batch_privacy")
    # Twice the epochs on half of the examples: as many steps as other attackers take.
    epochs = 2 * phases.get_attack_epochs(run.config, task)
    training = phases.train_attacker(
        run, phase, model, splits, epochs, view, _measure_psnr, run.config.lr_reconstruct
    )
    similarity = _measure_similarity(model, _make_evaluation_frames(splits.test, run.config))
    return phase.save_result(get_decoder(), {**similarity, **training}), get_decoder


def _write_sample_sheet(
    run: AttackRun,
    phase: phases.Phase,
    task: str,
    name: str,
    f_A: attack_run.Anonymizer,
    get_decoder: Callable[[], keras.Model],
) -> None:
    """Write a few test examples side by side: raw, anonymized, reconstructed.

    The sheet is in the folder of the phase, so that it is copied wherever the phase is reused.
    """
    path = phase.folder / "sheet.png"
    if path.exists():
        return
    test = run.data.privacy_tasks[task].test
    rows = samples.spread_rows(len(test), contact_sheet.SAMPLES_PER_SHEET)
    dataset = _make_evaluation_frames(test.take(rows), run.config)
    x = samples.take_first(dataset, contact_sheet.SAMPLES_PER_SHEET)
    x_anon = f_A(x, training=False)
    # The decoder ends in a convolution, so its output may leave [0, 1].
    x_hat = tf.clip_by_value(get_decoder()(x_anon, training=False), 0.0, 1.0)
    frames = {"raw": x.numpy(), name: x_anon.numpy(), "reconstruction": x_hat.numpy()}
    sheet = contact_sheet.draw_sheet(frames, scale=samples.choose_scale(run.config))
    contact_sheet.save_sheet(path, sheet)


def _attack_reconstruction(
    run: AttackRun,
    phase_name: str,
    f_A: attack_run.Anonymizer,
    get_decoder: Callable[[], keras.Model],
    task: str,
    network: str,
    start: str,
) -> dict[str, Any]:
    """Score the classifier that was trained on raw data on the reconstruction."""
    phase = run.get_phase(phase_name)
    stored = phase.load_result()
    if stored is not None:
        return stored
    reconstruct = attack_run.compose(f_A, get_decoder())
    f_B, raw_result = fresh.train_on_raw(run, task, network, start)

    def classify(x: tf.Tensor) -> tf.Tensor:
        return f_B(reconstruct(x), training=False)

    scores = attack_run.score_classifier(run, task, classify)
    return phase.save_result(None, {**scores, "selected": raw_result["selected"], "curve": []})


def _halve_training_split(splits: DatasetSplits, seed: int) -> DatasetSplits:
    """Keep a random half of the training examples, in their order."""
    rows = np.random.default_rng(seed).permutation(len(splits.train))
    half = -(-len(rows) // 2)
    return dataclasses.replace(splits, train=splits.train.take(np.sort(rows[:half])))


def _make_training_pairs(
    examples: Examples, config: Config, first: int, last: int
) -> tf.data.Dataset:
    """Return batches of (raw, raw): the model applies f_A to the input and keeps the target raw."""
    batches = pipeline.make_attribute_dataset(examples, config, first, last)
    return batches.map(lambda x, _: (x, x))


def _make_evaluation_frames(examples: Examples, config: Config) -> tf.data.Dataset:
    return pipeline.make_image_evaluation_dataset(examples, config)


def _measure_psnr(model: trainer.SupervisedModel, dataset: tf.data.Dataset) -> float:
    """Return the mean PSNR in dB, to select an epoch."""
    values = [tf.image.psnr(x, model.forward(x), 1.0) for x, *_ in dataset]
    return float(np.mean(np.concatenate(values)))


def _measure_similarity(
    model: trainer.SupervisedModel, dataset: tf.data.Dataset
) -> dict[str, float | None]:
    """Return the mean PSNR, SSIM and MS-SSIM over frames; None where frames are too small."""
    measures = {"psnr": tf.image.psnr, "ssim": tf.image.ssim, "ms_ssim": tf.image.ssim_multiscale}
    min_sides = {
        "psnr": 0,
        "ssim": SSIM_WINDOW_PIXELS,
        # A frame of odd size is padded before it is halved.
        "ms_ssim": (SSIM_WINDOW_PIXELS - 1) * MS_SSIM_SCALE + 1,
    }
    values: dict[str, list[float]] = {name: [] for name in measures}
    for x, *_ in dataset:
        x_hat = tf.clip_by_value(model.forward(x), 0.0, 1.0)
        for name, measure in measures.items():
            if min(x.shape[1:3]) >= min_sides[name]:
                values[name].extend(measure(x, x_hat, 1.0).numpy())
    means: dict[str, float | None] = {}
    for name, per_frame in values.items():
        means[name] = float(np.mean(per_frame)) if per_frame else None
    return means
