"""What two cores can do beside each point of a sweep: one attacker of each kind."""

from tfanon.attacks.common import attack_plan

ATTACKS = ("fresh", "frozen", "multi_frame", "whole_video", "reconstruction")


def plan(config, asked):
    choices = [
        attack_plan.make_attack_settings(config, network)
        for network in asked.choose_privacy_networks(config.attacker_network)
    ]
    return attack_plan.AttackPlan(
        tuple((attacker, choice) for attacker in ATTACKS for choice in choices),
        asked.actions(config.action_evaluator_network),
    )
