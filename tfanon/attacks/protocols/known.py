"""Known actions and attributes, the paper's Table 1: evaluation on the data sets of the run."""

from tfanon.attacks.common import attack_plan
from tfanon.core.config import Config


def plan(config: Config, options: attack_plan.NetworkOptions) -> attack_plan.AttackPlan:
    """Plan retrained attackers and an action evaluator.

    Args:
        config: Configuration of the attacks.
        options: Networks that the command asks for.

    Returns:
        The plan.
    """
    networks = options.choose_privacy_networks(config.attacker_network)
    attacks: list[attack_plan.PlannedAttack] = []
    for network in networks:
        attacks.append(("fresh", attack_plan.make_attack_settings(config, network)))
    action_networks = options.choose_action_networks(config.action_evaluator_network)
    return attack_plan.AttackPlan(tuple(attacks), action_networks)
