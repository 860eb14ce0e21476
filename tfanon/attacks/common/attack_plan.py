"""What a protocol consists of, and the pieces that several of them share.

Every file beside this one has plan(config, asked) -> Plan.
"""

import dataclasses
import pathlib

from tfanon.attacks.common import attack_run
from tfanon.core import component_spec, registry


@dataclasses.dataclass(frozen=True)
class AttackPlan:
    """attacks: pairs (file of tfanon/attacks, its choice).  actions: networks that judge the action.

    notes: what a reader of the results has to know.
    """

    attacks: tuple = ()
    actions: tuple = ()
    notes: tuple = ()

    def with_attackers(self, attackers):
        """The plan with these attackers alone, specs of tfanon/attacks; empty: with its own.

        The plan says the networks of those it has; one that it lacks attacks as it does by default.
        Raises ValueError where there is no such attacker, or setting of it.
        """
        asked = [component_spec.parse_spec("attackers", text, "attack") for text in attackers]
        found = [
            (name, choice | settings)
            for name, settings in asked
            for choice in [planned for attacker, planned in self.attacks if attacker == name]
            or [{}]
        ]
        return dataclasses.replace(self, attacks=tuple(found)) if asked else self


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """What a command asks of a protocol.

    networks: of attackers and of action judges, in place of the protocol's own.  weights_dir: folder of
    NETWORK.weights.h5 files, from which attackers start besides from scratch.
    """

    networks: tuple = ()
    weights_dir: str = ""

    def choose_privacy_networks(self, *default):
        """Networks that read attributes."""
        return self._select_kind("privacy") or default

    def actions(self, *default):
        """Networks that judge the action."""
        return self._select_kind("actions") or default

    def _select_kind(self, kind):
        for network in self.networks:
            if network not in registry.list_names("privacy") + registry.list_names("actions"):
                registry.load_module("privacy", network)
        return tuple(network for network in self.networks if network in registry.list_names(kind))


def make_attack_settings(config, network):
    """A network of attributes as an attacker's choice; the run's own starts as in the run."""
    own = network == config.attacker_network and config.attack_weights
    return {"network": network, "start": own or attack_run.SCRATCH}


def find_pretrained_starts(asked, networks):
    """(choices of those networks that have a file to start from, notes on those that have none)."""
    files = {
        network: pathlib.Path(asked.weights_dir) / f"{network}.weights.h5" for network in networks
    }
    there = [network for network, path in files.items() if asked.weights_dir and path.is_file()]
    without = [network for network in networks if network not in there]
    note = f"Only from scratch, since --weights_dir has no NETWORK.weights.h5 of them: {', '.join(without)}."
    return [{"network": network, "start": str(files[network])} for network in there], (
        note,
    ) if without else ()
