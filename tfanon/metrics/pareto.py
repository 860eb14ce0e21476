"""What is left of the action against what leaks: the operating points that no other beats, and one number for a set.

Every measure is taken inside one box, whose corners are measured too and must be given: raw video (all of the leakage,
all of the action) and chance (none of either). An operating point becomes

    privacy = 1 - leak / leak of raw,    utility = (top-1 - chance) / (top-1 of raw - chance),

both cut to [0, 1]: raw is (0, 1), chance is (1, 0), and (1, 1) is what everybody wants. Leaks are measured above the
floor, so that 0 is what somebody learns who sees nothing.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ReferenceBox:
    """The box: what raw video leaks and keeps, and the top-1 of chance; shares in [0, 1]."""

    raw_leakage: float
    raw_top1: float
    chance_top1: float

    def __post_init__(self):
        _check_finite("reference points", [self.raw_leakage, self.raw_top1, self.chance_top1])
        if self.raw_leakage <= 0 or self.raw_top1 <= self.chance_top1:
            raise ValueError(
                f"Raw video leaks {self.raw_leakage:.3g} above the floor, its top-1 is {self.raw_top1:.3g} and "
                f"that of chance {self.chance_top1:.3g}: judges that find nothing in raw video measure no "
                "anonymizer. Train them longer."
            )

    def normalize(self, leaks, top1s):
        """(privacy [n], utility [n]) of operating points, each in [0, 1]."""
        leaks, top1s = _check_finite("leaks", leaks), _check_finite("top-1", top1s)
        if leaks.shape != top1s.shape or leaks.ndim != 1:
            raise ValueError(
                f"Leaks are {leaks.shape} and top-1 {top1s.shape}; give one of each per operating point."
            )
        utility = (top1s - self.chance_top1) / (self.raw_top1 - self.chance_top1)
        return np.clip(1.0 - leaks / self.raw_leakage, 0, 1), np.clip(utility, 0, 1)


def find_pareto_front(leaks, top1s):
    """Row numbers of the points that no other beats, from the least leak to the most.

    A point is beaten by one that leaks no more and keeps no less, and is better in one of the two; of equal points all
    stay.  leaks, top1s: [n].  Raises ValueError for NaN.
    """
    leaks, top1s = _check_finite("leaks", leaks), _check_finite("top-1", top1s)
    beaten = [
        np.any((leaks <= leak) & (top1s >= top1) & ((leaks < leak) | (top1s > top1)))
        for leak, top1 in zip(leaks, top1s)
    ]
    kept = np.flatnonzero(~np.array(beaten, bool))
    return kept[np.lexsort((top1s[kept], leaks[kept]))].tolist()


def hypervolume(leaks, top1s, reference):
    """Share of the box whose points are beaten by one of these, seen from (privacy 0, utility 0).

    0: all are as bad as raw or as chance.  1: one hides everything and costs nothing.  A point more never lowers it.
    """
    privacy, utility = reference.normalize(leaks, top1s)
    area, reached = 0.0, 0.0
    for row in np.lexsort(
        (-utility, -privacy)
    ):  # from the most private on, each adds the height it rises by
        if utility[row] > reached:
            area += privacy[row] * (utility[row] - reached)
            reached = utility[row]
    return float(area)


def area_under_front(leaks, top1s, reference):
    """Area under utility over privacy, straight from point to point, from raw (0, 1) to chance (1, 0).

    As SEBA sums up a sweep, with both ends declared: an anonymizer that shows raw video or nothing, by the toss of a
    coin, comes to 0.5. Only points that neither another nor an end beats count; a poor one among them can lower it.
    """
    privacy, utility = reference.normalize(leaks, top1s)
    raw, chance = len(privacy), len(privacy) + 1
    privacy, utility = np.append(privacy, [0.0, 1.0]), np.append(utility, [1.0, 0.0])
    between = [
        row for row in find_pareto_front(1.0 - privacy, utility)[::-1] if row not in (raw, chance)
    ]
    order = [
        raw,
        *between,
        chance,
    ]  # the ends stay where a point beats them: the curve starts and stops there
    return float(np.trapezoid(utility[order], privacy[order]))


def _check_finite(description, values):
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{int((~np.isfinite(values)).sum())} of {values.size} {description} are NaN or infinite: leave out "
            "what could not be measured, and say so."
        )
    return values
