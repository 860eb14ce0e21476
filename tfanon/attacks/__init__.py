"""Who tries to read private attributes behind an f_A: one attack, one file, and an attack while f_A is trained.

Every file here has attack(run, name, f_A, **choice) -> entries, as tfanon.evaluate writes them, and NEEDS, what of the
data it needs.  run: _common.Run.  name, f_A: what is attacked; any callable of frames and clips.
"""

from tfanon.attacks.common.periodic_attack import PrivacyAttackCallback, make_attack_watchers

__all__ = ["PrivacyAttackCallback", "watchers"]
