"""Novel actions and attributes, the paper's Table 2: the judges learn data sets that f_A was not trained for.

f_A is that of a run on UCF101 and VISPR1, for instance; --eval_clip_source=hmdb51 and --attribute_set=vispr2 name the
new ones. A run whose own flags name them is judged on those.
"""

from tfanon.attacks.protocols import known


def plan(config, asked):
    """As known.  Raises ValueError where nothing is novel."""
    named = (config.eval_clip_source, config.test_clip_source, config.test_image_source)
    if not any(named) and config.attribute_set == "vispr1":
        raise ValueError(
            "Nothing is novel here: name what f_A was not trained for as --eval_clip_source, "
            "--test_clip_source, --test_image_source or --attribute_set."
        )
    return known.plan(config, asked)
