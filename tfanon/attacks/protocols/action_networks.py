"""Other action networks, the paper's Table 5: is utility left only for the run's own f_T?"""

from tfanon.attacks.common import attack_plan
from tfanon.core.config import Config

NETWORKS = ("c3d", "i3d", "r3d_18", "r2plus1d_18", "mvit_v2_s")


def plan(config: Config, options: attack_plan.NetworkOptions) -> attack_plan.AttackPlan:
    """Plan an action evaluator for each network, and no attack.

    Args:
        config: Configuration of the attacks.
        options: Networks that the command asks for.

    Returns:
        The plan.
    """
    return attack_plan.AttackPlan(action_networks=options.choose_action_networks(*NETWORKS))
