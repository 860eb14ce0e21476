"""Retrained attackers of several sizes, the paper's Tables 7 and 8.

From scratch in Table 7; in Table 8 from ImageNet, with the files in --weights_dir.
"""

from tfanon.attacks.common import attack_plan, attack_run
from tfanon.core.config import Config

NETWORKS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def plan(config: Config, options: attack_plan.NetworkOptions) -> attack_plan.AttackPlan:
    """Plan a retrained attacker for each network and start.

    Args:
        config: Configuration of the attacks.
        options: Networks that the command asks for, and the folder of their weights.

    Returns:
        The plan.
    """
    networks = options.choose_privacy_networks(*NETWORKS)
    pretrained, notes = attack_plan.find_pretrained_starts(options, networks)
    scratch = [{"network": network, "start": attack_run.SCRATCH} for network in networks]
    attacks = tuple(("fresh", settings) for settings in [*scratch, *pretrained])
    return attack_plan.AttackPlan(attacks, notes=notes)
