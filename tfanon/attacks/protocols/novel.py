"""Novel actions and attributes, the paper's Table 2: data sets that f_A was not trained for.

Take a run on UCF101 and VISPR1, for instance, and name the new data sets with
--eval_clip_source=hmdb51 and --attribute_set=vispr2. A run whose own flags name them is evaluated
on those.
"""

from tfanon.attacks.common import attack_plan
from tfanon.attacks.protocols import known
from tfanon.core.config import Config


def plan(config: Config, options: attack_plan.NetworkOptions) -> attack_plan.AttackPlan:
    """Plan the attackers and evaluators of `known`.

    Args:
        config: Configuration of the attacks.
        options: Networks that the command asks for.

    Returns:
        The plan.

    Raises:
        ValueError: No flag names a novel data set.
    """
    sources = (config.eval_clip_source, config.test_clip_source, config.test_image_source)
    if not any(sources) and config.attribute_set == "vispr1":
        raise ValueError(
            "--protocol=novel needs data that f_A was not trained for. Give --eval_clip_source, "
            "--test_clip_source, --test_image_source or --attribute_set."
        )
    return known.plan(config, options)
