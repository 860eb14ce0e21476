"""Attackers of several sizes, the paper's Tables 7 (from scratch) and 8 (from ImageNet, by files in --weights_dir)."""

from tfanon.attackers import _common
from tfanon.protocols import _plan

NETWORKS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def plan(config, asked):
    networks = asked.readers(*NETWORKS)
    started, notes = _plan.started(asked, networks)
    scratch = [{"network": network, "start": _common.SCRATCH} for network in networks]
    return _plan.Plan(tuple(("fresh", choice) for choice in [*scratch, *started]), notes=notes)
