"""Attackers of several sizes, the paper's Tables 7 (from scratch) and 8 (from ImageNet, by files in --weights_dir)."""

from tfanon.attacks.common import attack_plan, attack_run

NETWORKS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def plan(config, asked):
    networks = asked.choose_privacy_networks(*NETWORKS)
    started, notes = attack_plan.find_pretrained_starts(asked, networks)
    scratch = [{"network": network, "start": attack_run.SCRATCH} for network in networks]
    return attack_plan.AttackPlan(
        tuple(("fresh", choice) for choice in [*scratch, *started]), notes=notes
    )
