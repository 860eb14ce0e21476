"""Whoever owns f_A makes pairs and trains a decoder back to the raw frame; then the raw-data attacker reads that.

Published as breaking adversarial obfuscators (Jeong et al., arXiv 2208.02482). The decoder learns from one half of the
training examples, f_A and raw; the other half is never shown to it. PSNR and SSIM agree only weakly with what people
recognise, so what counts is what the frozen attacker reads from the result.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run, decoder
from tfanon.data import pipeline
from tfanon.media import contact_sheet
from tfanon.summaries import samples
from tfanon.training import losses, phases, trainer

REQUIRED = fresh.REQUIRED
SSIM_WINDOW_PIXELS = 11  # pixels: the window of SSIM, which MS-SSIM needs after four halvings too


def attack(run, name, f_A, network="", start=attack_run.SCRATCH, width=1.0):
    """Two entries per probe: how alike the reconstruction is, and what is read from it.

    network, start: of the attacker on raw data, as in fresh.  width: of the decoder.
    """
    network, found = network or run.config.attacker_network, []
    for probe in run.tables.probes:
        phase = run.get_phase(f"reconstruction-{width:g}-{probe}-{name}")
        alike, g = _train_decoder(run, phase, f_A, probe, width)
        _write_sample_sheet(run, phase, probe, name, f_A, g)
        read = _attack_reconstruction(
            run,
            attack_run.make_phase_name(
                f"reconstruction+frozen-{width:g}", network, start, probe, name
            ),
            f_A,
            g,
            probe,
            network,
            start,
        )
        read = {**read, "budget": alike["budget"]}
        found += [
            attack_run.make_result_entry(
                name,
                "reconstruction",
                decoder.get_decoder_name(width),
                attack_run.SCRATCH,
                probe,
                alike,
            ),
            attack_run.make_result_entry(
                name, "reconstruction+frozen", network, start, probe, read
            ),
        ]
    return found


def _train_decoder(run, phase, f_A, probe, width):
    """(how alike raw and reconstruction are, a function that returns the trained decoder: only who needs it builds it)."""

    @functools.cache
    def g():
        run.seed_for_phase(f"reconstruction-{probe}")
        with run.strategy.scope():
            network = decoder.build_decoder(width)
        phase.load_result(network)
        return network

    if (found := phase.load_result()) is not None:
        return found, g
    with run.strategy.scope():
        learner = trainer.SupervisedModel(g(), losses.reconstruction, f_A)
    splits, views = (
        _halve_training_split(run.tables.probes[probe], run.config.seed),
        phases.InputView(_make_training_pairs, _make_evaluation_frames, "batch_privacy"),
    )
    epochs = 2 * phases.get_attack_epochs(
        run.config, probe
    )  # of half of the examples: as many steps as other attackers
    learnt = phases.train_attacker(
        run, phase, learner, splits, epochs, views, _measure_psnr, run.config.lr_reconstruct
    )
    return phase.save_result(
        g(),
        {
            **_measure_similarity(learner, _make_evaluation_frames(splits.test, run.config)),
            **learnt,
        },
    ), g


def _write_sample_sheet(run, phase, probe, name, f_A, g):
    """A sheet of a few test examples: what goes in, what comes out, what the decoder makes of that.

    It stands in the phase's folder, so that whoever takes over the phase has it too.
    """
    path = phase.folder / "sheet.png"
    if path.exists():
        return
    test = run.tables.probes[probe].test
    x = samples.first(
        _make_evaluation_frames(
            test.take(samples.spread(len(test), contact_sheet.SAMPLES_PER_SHEET)), run.config
        ),
        contact_sheet.SAMPLES_PER_SHEET,
    )
    x_anon = f_A(x, training=False)
    rows = {
        "raw": x,
        name: x_anon,
        "reconstruction": tf.clip_by_value(g()(x_anon, training=False), 0.0, 1.0),
    }
    contact_sheet.save_sheet(
        path,
        contact_sheet.draw_sheet(
            {label: frames.numpy() for label, frames in rows.items()},
            scale=samples.scale(run.config),
        ),
    )


def _attack_reconstruction(run, name, f_A, g, probe, network, start):
    """What the attacker that was trained on raw data reads from the reconstruction."""
    phase = run.get_phase(name)
    if (found := phase.load_result()) is not None:
        return found
    reconstruct, (f_B, raw) = (
        attack_run.compose(f_A, g()),
        fresh.train_on_raw(run, probe, network, start),
    )
    found = attack_run.score_classifier(run, probe, lambda x: f_B(reconstruct(x), training=False))
    return phase.save_result(None, {**found, "selected": raw["selected"], "curve": []})


def _halve_training_split(splits, seed):
    rows = np.random.default_rng(seed).permutation(len(splits.train))
    return dataclasses.replace(splits, train=splits.train.take(np.sort(rows[: -(-len(rows) // 2)])))


def _make_training_pairs(examples, config, first, last):
    """(raw, raw): a Learner puts f_A before its network and compares with what is left of the pair."""
    return pipeline.attributes(examples, config, first, last).map(lambda x, _: (x, x))


def _make_evaluation_frames(examples, config):
    return pipeline.evaluation_images(examples, config)


def _measure_psnr(learner, dataset):
    return float(
        np.mean(np.concatenate([tf.image.psnr(x, learner.forward(x), 1.0) for x, *_ in dataset]))
    )


def _measure_similarity(learner, dataset):
    """Mean over the frames of a split; MS-SSIM is None where halved four times they are smaller than its window."""
    measured = {"psnr": tf.image.psnr, "ssim": tf.image.ssim, "ms_ssim": tf.image.ssim_multiscale}
    found = {name: [] for name in measured}
    for x, *_ in dataset:
        x_hat = tf.clip_by_value(learner.forward(x), 0.0, 1.0)
        for name, measure in measured.items():
            side = min(x.shape[1:3]) if name != "ms_ssim" else -(-min(x.shape[1:3]) // 16)
            if name == "psnr" or side >= SSIM_WINDOW_PIXELS:
                found[name].extend(measure(x, x_hat, 1.0).numpy())
    return {name: float(np.mean(values)) if values else None for name, values in found.items()}
