"""What a protocol consists of, and what several protocols share.

Each module of `tfanon.attacks.protocols` defines ``plan(config, options) -> AttackPlan``.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from tfanon.attacks.common import attack_run
from tfanon.core import component_spec, registry
from tfanon.core.config import Config

PlannedAttack = tuple[str, dict[str, Any]]
"""Name of an attack, and the options of its `attack` function."""


@dataclasses.dataclass(frozen=True)
class AttackPlan:
    """The attacks and action evaluators of one evaluation.

    Attributes:
        attacks: Attacks on each anonymizer, in this order.
        action_networks: Modules of `tfanon.models.actions` that evaluate the action.
        notes: What readers of the results must know.
    """

    attacks: tuple[PlannedAttack, ...] = ()
    action_networks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_attackers(self, attackers: Sequence[str]) -> "AttackPlan":
        """Replace the attacks of the plan by others.

        Args:
            attackers: Attacks with their options, such as `reconstruction:width=0.5`. An attack
                that is in the plan keeps its networks; any other uses its defaults.

        Returns:
            The new plan; the plan itself if `attackers` is empty.

        Raises:
            ValueError: There is no such attack, or it has no such option.
        """
        if not attackers:
            return self
        attacks: list[PlannedAttack] = []
        for spec in attackers:
            name, options = component_spec.parse_spec("attackers", spec, "attack")
            planned = [settings for attack, settings in self.attacks if attack == name]
            if not planned:
                planned = [{}]
            attacks += [(name, settings | options) for settings in planned]
        return dataclasses.replace(self, attacks=tuple(attacks))


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """The networks that a command asks a protocol to use.

    Attributes:
        networks: Networks of attackers and action evaluators; empty: those of the protocol.
        weights_dir: Folder of NETWORK.weights.h5 files, from which attackers start in addition to
            those that start from scratch.
    """

    networks: tuple[str, ...] = ()
    weights_dir: str = ""

    def choose_privacy_networks(self, *default: str) -> tuple[str, ...]:
        """Return the networks of attackers.

        Args:
            *default: Networks to use if the command names none.

        Returns:
            Modules of `tfanon.models.privacy`.

        Raises:
            ValueError: The command names a network that does not exist.
        """
        return self._select_kind("privacy") or default

    def choose_action_networks(self, *default: str) -> tuple[str, ...]:
        """Return the networks of action evaluators.

        Args:
            *default: Networks to use if the command names none.

        Returns:
            Modules of `tfanon.models.actions`.

        Raises:
            ValueError: The command names a network that does not exist.
        """
        return self._select_kind("actions") or default

    def _select_kind(self, kind: str) -> tuple[str, ...]:
        known = registry.list_names("privacy") + registry.list_names("actions")
        for network in self.networks:
            if network not in known:
                # Raises, and its message lists the privacy networks.
                registry.check_name("privacy", network)
        return tuple(network for network in self.networks if network in registry.list_names(kind))


def make_attack_settings(config: Config, network: str) -> dict[str, Any]:
    """Return the options of an attack that uses a privacy network.

    Args:
        config: Configuration of the attacks.
        network: A module of `tfanon.models.privacy`.

    Returns:
        The network and its start: from `--attack_weights` for the run's own attacker network, else
        from scratch.
    """
    start = attack_run.SCRATCH
    if network == config.attacker_network and config.attack_weights:
        start = config.attack_weights
    return {"network": network, "start": start}


def find_pretrained_starts(
    options: NetworkOptions, networks: Sequence[str]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Look for pretrained weights of networks in `--weights_dir`.

    Args:
        options: The folder, which may be missing.
        networks: Modules of `tfanon.models.privacy`.

    Returns:
        Options of an attack for each network that has a file, and a note about those without.
    """
    settings: list[dict[str, Any]] = []
    missing = []
    for network in networks:
        path = pathlib.Path(options.weights_dir) / f"{network}.weights.h5"
        if options.weights_dir and path.is_file():
            settings.append({"network": network, "start": str(path)})
        else:
            missing.append(network)
    if not missing:
        return settings, ()
    note = (
        "Trained from scratch only, since --weights_dir has no NETWORK.weights.h5 for them: "
        f"{', '.join(missing)}."
    )
    return settings, (note,)
