"""Attackers that were trained on raw data and stay as they are, the paper's Table 6; the fresh ones beside them."""

from tfanon.attacks.common import attack_plan


def plan(config, asked):
    choices = [
        attack_plan.make_attack_settings(config, network)
        for network in asked.choose_privacy_networks(config.attacker_network)
    ]
    return attack_plan.AttackPlan(
        tuple((attacker, choice) for attacker in ("frozen", "fresh") for choice in choices)
    )
