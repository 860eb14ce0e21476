"""Known actions and attributes, the paper's Table 1: fresh judges on the data sets of the run."""

from tfanon.attacks.common import attack_plan


def plan(config, asked):
    readers = asked.choose_privacy_networks(config.attacker_network)
    return attack_plan.AttackPlan(
        tuple(("fresh", attack_plan.make_attack_settings(config, network)) for network in readers),
        asked.actions(config.action_evaluator_network),
    )
