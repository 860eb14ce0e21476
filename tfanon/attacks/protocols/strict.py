"""Everything there is, with its maximum: what somebody who really tries still learns.

The run's own judge attacks in every way, the run's action network as a 3D network too; --networks and --weights_dir add
sizes and starts.
"""

from tfanon.attacks.common import attack_plan, attack_run

ATTACKS = (
    "frozen",
    "linear_probe",
    "knn",
    "multi_frame",
    "whole_video",
    "identity",
    "reconstruction",
)


def plan(config, asked):
    networks = asked.choose_privacy_networks(config.attacker_network)
    started, notes = attack_plan.find_pretrained_starts(asked, networks)
    own = [attack_plan.make_attack_settings(config, network) for network in networks]
    attacks = [("fresh", choice) for choice in [*own, *started]]
    attacks += [(attacker, choice) for attacker in ATTACKS for choice in own]
    actions = asked.actions(config.action_evaluator_network)
    attacks += [
        ("whole_video", {"network": network, "start": attack_run.SCRATCH}) for network in actions
    ]
    return attack_plan.AttackPlan(tuple(attacks), actions, notes)
