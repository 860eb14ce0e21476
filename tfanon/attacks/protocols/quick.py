"""One attacker of each kind: what two cores can do after each trial of a sweep."""

from tfanon.attacks.common import attack_plan
from tfanon.core.config import Config

ATTACKS = ("fresh", "frozen", "multi_frame", "whole_video", "reconstruction")


def plan(config: Config, options: attack_plan.NetworkOptions) -> attack_plan.AttackPlan:
    """Plan the attacks of ATTACKS for each network, and an action evaluator.

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
    action_networks = options.choose_action_networks(config.action_evaluator_network)
    return attack_plan.AttackPlan(tuple(attacks), action_networks)
