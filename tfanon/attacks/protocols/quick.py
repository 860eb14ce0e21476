"""What two cores can do beside each point of a sweep: one attacker of each kind."""

from tfanon.attacks.common import attack_plan

WAYS = ("fresh", "frozen", "multi_frame", "whole_video", "reconstruction")


def plan(config, asked):
    choices = [
        attack_plan.choice(config, network)
        for network in asked.readers(config.privacy_judge_network)
    ]
    return attack_plan.Plan(
        tuple((attacker, choice) for attacker in WAYS for choice in choices),
        asked.actions(config.action_judge_network),
    )
