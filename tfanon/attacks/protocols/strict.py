"""All attacks, and the maximum of their leakage: what a determined attacker still learns.

The attacker network of the run is used in every attack, its action network as a 3D network too.
--networks and --weights_dir add sizes and pretrained starts.
"""

from tfanon.attacks.common import attack_plan, attack_run
from tfanon.core.config import Config

# Beside retrained attackers, which also start from pretrained weights.
ATTACKS = (
    "frozen",
    "linear_probe",
    "knn",
    "multi_frame",
    "whole_video",
    "identity",
    "reconstruction",
)


def plan(config: Config, options: attack_plan.NetworkOptions) -> attack_plan.AttackPlan:
    """Plan every attack for each network, and action evaluators.

    Args:
        config: Configuration of the attacks.
        options: Networks that the command asks for, and the folder of their weights.

    Returns:
        The plan.
    """
    networks = options.choose_privacy_networks(config.attacker_network)
    pretrained, notes = attack_plan.find_pretrained_starts(options, networks)
    own = [attack_plan.make_attack_settings(config, network) for network in networks]
    attacks: list[attack_plan.PlannedAttack] = []
    attacks += [("fresh", settings) for settings in [*own, *pretrained]]
    for attacker in ATTACKS:
        attacks += [(attacker, settings) for settings in own]
    action_networks = options.choose_action_networks(config.action_evaluator_network)
    for network in action_networks:
        attacks.append(("whole_video", {"network": network, "start": attack_run.SCRATCH}))
    return attack_plan.AttackPlan(tuple(attacks), action_networks, notes)
