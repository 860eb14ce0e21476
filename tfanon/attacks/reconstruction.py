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

NEEDS = fresh.NEEDS
SMALLEST = 11  # pixels: the window of SSIM, which MS-SSIM needs after four halvings too


def attack(run, name, f_A, network="", start=attack_run.SCRATCH, width=1.0):
    """Two entries per probe: how alike the reconstruction is, and what is read from it.

    network, start: of the attacker on raw data, as in fresh.  width: of the decoder.
    """
    network, found = network or run.config.privacy_judge_network, []
    for probe in run.tables.probes:
        phase = run.phase(f"reconstruction-{width:g}-{probe}-{name}")
        alike, g = _decode(run, phase, f_A, probe, width)
        _draw(run, phase, probe, name, f_A, g)
        read = _read(
            run,
            attack_run.named(f"reconstruction+frozen-{width:g}", network, start, probe, name),
            f_A,
            g,
            probe,
            network,
            start,
        )
        read = {**read, "budget": alike["budget"]}
        found += [
            attack_run.entry(
                name, "reconstruction", decoder.called(width), attack_run.SCRATCH, probe, alike
            ),
            attack_run.entry(name, "reconstruction+frozen", network, start, probe, read),
        ]
    return found


def _decode(run, phase, f_A, probe, width):
    """(how alike raw and reconstruction are, a function that returns the trained decoder: only who needs it builds it)."""

    @functools.cache
    def g():
        run.seeded(f"reconstruction-{probe}")
        with run.strategy.scope():
            network = decoder.build(width)
        phase.result(network)
        return network

    if (found := phase.result()) is not None:
        return found, g
    with run.strategy.scope():
        learner = trainer.Learner(g(), losses.reconstruction, f_A)
    splits, views = (
        _half(run.tables.probes[probe], run.config.seed),
        phases.Views(_pairs, _frames, "batch_privacy"),
    )
    epochs = 2 * phases.epochs_of(
        run.config, probe
    )  # of half of the examples: as many steps as other attackers
    learnt = phases.learn(
        run, phase, learner, splits, epochs, views, _psnr, run.config.rate_reconstruct
    )
    return phase.finish(g(), {**_likeness(learner, _frames(splits.test, run.config)), **learnt}), g


def _draw(run, phase, probe, name, f_A, g):
    """A sheet of a few test examples: what goes in, what comes out, what the decoder makes of that.

    It stands in the phase's folder, so that whoever takes over the phase has it too.
    """
    path = phase.folder / "sheet.png"
    if path.exists():
        return
    test = run.tables.probes[probe].test
    x = samples.first(
        _frames(test.take(samples.spread(len(test), contact_sheet.COUNT)), run.config),
        contact_sheet.COUNT,
    )
    x_anon = f_A(x, training=False)
    rows = {
        "raw": x,
        name: x_anon,
        "reconstruction": tf.clip_by_value(g()(x_anon, training=False), 0.0, 1.0),
    }
    contact_sheet.write(
        path,
        contact_sheet.grid(
            {label: frames.numpy() for label, frames in rows.items()},
            scale=samples.scale(run.config),
        ),
    )


def _read(run, name, f_A, g, probe, network, start):
    """What the attacker that was trained on raw data reads from the reconstruction."""
    phase = run.phase(name)
    if (found := phase.result()) is not None:
        return found
    reconstruct, (f_B, raw) = attack_run.behind(f_A, g()), fresh.on_raw(run, probe, network, start)
    found = attack_run.scores(run, probe, lambda x: f_B(reconstruct(x), training=False))
    return phase.finish(None, {**found, "selected": raw["selected"], "curve": []})


def _half(splits, seed):
    rows = np.random.default_rng(seed).permutation(len(splits.train))
    return dataclasses.replace(splits, train=splits.train.take(np.sort(rows[: -(-len(rows) // 2)])))


def _pairs(examples, config, first, last):
    """(raw, raw): a Learner puts f_A before its network and compares with what is left of the pair."""
    return pipeline.attributes(examples, config, first, last).map(lambda x, _: (x, x))


def _frames(examples, config):
    return pipeline.evaluation_images(examples, config)


def _psnr(learner, dataset):
    return float(
        np.mean(np.concatenate([tf.image.psnr(x, learner.forward(x), 1.0) for x, *_ in dataset]))
    )


def _likeness(learner, dataset):
    """Mean over the frames of a split; MS-SSIM is None where halved four times they are smaller than its window."""
    measured = {"psnr": tf.image.psnr, "ssim": tf.image.ssim, "ms_ssim": tf.image.ssim_multiscale}
    found = {name: [] for name in measured}
    for x, *_ in dataset:
        x_hat = tf.clip_by_value(learner.forward(x), 0.0, 1.0)
        for name, measure in measured.items():
            side = min(x.shape[1:3]) if name != "ms_ssim" else -(-min(x.shape[1:3]) // 16)
            if name == "psnr" or side >= SMALLEST:
                found[name].extend(measure(x, x_hat, 1.0).numpy())
    return {name: float(np.mean(values)) if values else None for name, values in found.items()}
