"""Known actions and attributes, the paper's Table 1: fresh judges on the data sets of the run."""

from tfanon.protocols import _plan


def plan(config, asked):
    readers = asked.readers(config.privacy_judge_network)
    return _plan.Plan(tuple(("fresh", _plan.choice(config, network)) for network in readers),
                      asked.actions(config.action_judge_network))
