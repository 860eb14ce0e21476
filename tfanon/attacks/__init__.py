"""Attacks that try to recover private attributes from the output of an anonymizer f_A.

One module is one attack, and its name is the name of the attack. To add one, add a module to this
folder and its name to the protocol `strict`. `fresh.py` is the one to read and to copy. A module
defines::

    REQUIRED = "images or clips with private attributes"  # what the data must have, for messages


    def attack(run, name, f_A, network="", start=attack_run.SCRATCH) -> list[attack_run.Entry]: ...

`attack` receives

* `run`, an `attack_run.AttackRun`: the data of each privacy task (`run.data.privacy_tasks`), the
  configuration, the seed and the folder of the evaluation;
* `name` and `f_A`: the anonymizer and its name in the results. f_A is any callable of frames
  ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]`` in [0, 1];
* its options, which must have defaults of type int, float or str. Users set them on the command
  line: ``tfanon-evaluate --attackers=reconstruction:width=0.5``.

It returns one entry of results.json per privacy task, made by `attack_run.make_result_entry`; an
empty list means that the data lacks what REQUIRED says. The docstring of `AttackRun` shows how an
attack trains, scores and stores its result, so that an interrupted evaluation can resume.

``tfanon-evaluate --attackers=NAME`` runs the new attack. The protocol `strict` stands for all
attacks, so add it to `ATTACKS` in `tfanon/attacks/protocols/strict.py`; a test compares that list
with this folder. What several attacks share is in `tfanon.attacks.common`,
with the small attack that watches the leakage while f_A is trained.
"""

from tfanon.attacks.common.periodic_attack import PrivacyAttackCallback, make_log_callbacks

__all__ = ["PrivacyAttackCallback", "make_log_callbacks"]
