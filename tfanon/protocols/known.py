"""Known actions and attributes, the paper's Table 1: fresh judges on the data sets of the run."""

from tfanon.attackers import _common
from tfanon.protocols import _plan


def plan(config, asked):
    readers = asked.readers(_common.judge(config))
    return _plan.Plan(tuple(("fresh", _plan.choice(config, network)) for network in readers),
                      asked.actions(_plan.action(config)))
