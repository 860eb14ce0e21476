"""Known actions and attributes, the paper's Table 1: fresh judges on the data sets of the run."""

from tfanon.attacks.common import attack_plan


def plan(config, asked):
    readers = asked.readers(config.privacy_judge_network)
    return attack_plan.Plan(
        tuple(("fresh", attack_plan.choice(config, network)) for network in readers),
        asked.actions(config.action_judge_network),
    )
