"""Other action networks, the paper's Table 5: is the action left for whoever asks, or for the run's own f_T alone?"""

from tfanon.attacks.common import attack_plan

NETWORKS = ("c3d", "i3d", "r3d_18", "r2plus1d_18", "mvit_v2_s")


def plan(config, asked):
    return attack_plan.AttackPlan(actions=asked.actions(*NETWORKS))
