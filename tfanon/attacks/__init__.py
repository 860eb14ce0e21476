"""Attacks that try to recover private attributes from the output of an anonymizer f_A.

One module is one attack, and its name is the name of the attack. To add one, add a module to this
folder and its name to the protocol `strict`. Read and copy `fresh.py`, or `frozen.py` for an attack
that trains nothing. A module defines::

    REQUIRED = "images or clips with private attributes"  # what the data must have, for messages


    def attack(run, name, f_A, network="", start=attack_run.SCRATCH) -> list[attack_run.Entry]: ...

`attack` receives

* `run`, an `attack_run.AttackRun`: the data of each privacy task (`run.data.privacy_tasks`), the
  configuration, the seed and the folder of the evaluation;
* `name` and `f_A`: the anonymizer and its name in the results. f_A is any callable of frames
  ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]`` in [0, 1];
* `network` and `start`: the network to attack with and its initial weights, which every protocol
  passes. An attack without a network only names them in its entries;
* further options, which must have defaults of type int, float or str. Users set them on the command
  line: ``tfanon-evaluate --attackers=reconstruction:width=0.5``.

It returns one entry of results.json per privacy task, made by `attack_run.make_result_entry`; an
empty list means that the data lacks what REQUIRED says. An entry holds the scores of
`metrics.criteria.score_privacy`; "curve", "selected" and "budget", which say how training went, may
be left out. The docstring of `AttackRun` shows how an
attack trains, scores and stores its result, so that an interrupted evaluation can resume.

``tfanon-evaluate --attackers=NAME`` runs the new attack. The protocol `strict` stands for all
attacks: add it to `ATTACKS` in `tfanon/attacks/protocols/strict.py`, which a test compares with
this folder. What several attacks share is in `tfanon.attacks.common`, with the small attack that
watches the leakage while f_A is trained.
"""

from tfanon.attacks.common.periodic_attack import PrivacyAttackCallback, make_log_callbacks

__all__ = ["PrivacyAttackCallback", "make_log_callbacks"]
