"""Frozen attackers, trained on raw data only, the paper's Table 6; beside them retrained ones."""

from tfanon.attacks.common import attack_plan
from tfanon.core.config import Config

ATTACKS = ("frozen", "fresh")


def plan(config: Config, options: attack_plan.NetworkOptions) -> attack_plan.AttackPlan:
    """Plan a frozen and a retrained attacker for each network.

    Args:
        config: Configuration of the attacks.
        options: Networks that the command asks for.

    Returns:
        The plan.
    """
    networks = options.choose_privacy_networks(config.attacker_network)
    attacks: list[attack_plan.PlannedAttack] = []
    for attacker in ATTACKS:
        for network in networks:
            attacks.append((attacker, attack_plan.make_attack_settings(config, network)))
    return attack_plan.AttackPlan(tuple(attacks))
