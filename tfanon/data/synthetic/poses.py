"""Poses of the people in the synthetic data set: actions that differ in motion and nothing else.

A pose is two angles on a circle, the phase of the arms and that of one leg. Over one cycle, each
limb moves along a closed path: the arms rise outstretched and come down folded in front of the
chest; the leg goes out straight and comes back bent. An action is a pair of velocities: each limb
rests in whatever pose it has, moves slowly or moves fast. As the phases at the start of a clip are
uniform, those of each of its frames are uniform as well, whatever the velocities are: one frame
says nothing about the action. Both arms move alike and the moving leg is drawn at random, so
mirroring a clip does not change its action.
"""

import itertools

import numpy as np

FRAME_RATE = 25  # frames per second
# At stride 4, a fast cycle still has four frames.
CYCLES_PER_SECOND = {"Rest": 0.0, "Slow": 0.6, "Fast": 1.6}
# {name: cycles per second of the arms and of the leg}; resting completely is no action.
ACTIONS = {
    f"Arms{arms}Leg{leg}": (CYCLES_PER_SECOND[arms], CYCLES_PER_SECOND[leg])
    for arms, leg in itertools.product(CYCLES_PER_SECOND, CYCLES_PER_SECOND)
    if (arms, leg) != ("Rest", "Rest")
}

# (distance from the body's axis, height above the ground), in body heights.
HIP, SHOULDER = (0.06, 0.46), (0.115, 0.735)
UPPER_ARM, FOREARM, THIGH, SHIN = 0.18, 0.17, 0.22, 0.21  # lengths, in body heights

Joints = dict[str, np.ndarray]


def draw_phases(action: str, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the phases of a clip.

    The generator draws the start, a tempo within 10 % of the action's, and a slow wobble. None of
    these depends on the action, and the start is uniform on the circle.

    Args:
        action: A key of ACTIONS.
        frames: Length of the clip.
        rng: Random generator.

    Returns:
        Phases of arms and leg in cycles, float64 ``[frames, 2]``.
    """
    seconds = np.arange(frames)[:, None] / FRAME_RATE
    # The order of the draws decides what the data set looks like; it must not change.
    tempo = rng.uniform(0.9, 1.1, 2)
    wobble = 0.03 * np.sin(2 * np.pi * (rng.uniform(0.3, 0.8, 2) * seconds + rng.uniform(size=2)))
    return rng.uniform(size=2) + np.array(ACTIONS[action]) * tempo * seconds + wobble


def draw_random_pose(rng: np.random.Generator) -> np.ndarray:
    """Draw the phases of one picture, ``[1, 2]``, distributed as in each frame of each action."""
    return rng.uniform(size=(1, 2))


def compute_joints(phases: np.ndarray, moving_leg: int) -> Joints:
    """Compute the positions of the joints.

    Args:
        phases: Phases of arms and leg in cycles, ``[T, 2]``.
        moving_leg: Side of the leg that moves, -1 (left) or 1; the person stands on the other.

    Returns:
        {name: ``[T, 2]`` of x (to the right) and y (up) in body heights}, the origin on the ground
        between the feet. Names are "left_" or "right_" and shoulder, elbow, hand, hip, knee or
        foot; left is where x < 0.
    """
    arm, leg = 2 * np.pi * phases.T
    arm_angles = _compute_arm_angles(arm)
    moving_angles = _compute_leg_angles(leg)
    standing_angles = np.full_like(leg, 0.06), np.full_like(leg, 0.03)
    joints: Joints = {}
    for side, side_name in ((-1, "left"), (1, "right")):
        arm_joints = _compute_limb(side, SHOULDER, (UPPER_ARM, FOREARM), arm_angles)
        for name, joint in zip(("shoulder", "elbow", "hand"), arm_joints, strict=True):
            joints[f"{side_name}_{name}"] = joint
        # The standing leg never moves, so it can be drawn once per clip.
        leg_angles = moving_angles if side == moving_leg else standing_angles
        leg_joints = _compute_limb(side, HIP, (THIGH, SHIN), leg_angles)
        for name, joint in zip(("hip", "knee", "foot"), leg_joints, strict=True):
            joints[f"{side_name}_{name}"] = joint
    return joints


def _compute_arm_angles(arm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles of upper arm and forearm; 0 is down, pi/2 outward.

    The hand goes around the shoulder once per cycle.
    """
    return np.radians(85 - 70 * np.cos(arm)), arm + np.radians(20) * np.sin(arm)


def _compute_leg_angles(leg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles of thigh and shin; 0 is down, pi/2 outward.

    The knee is straight on the way out and bent on the way back.
    """
    thigh = np.radians(40 - 33 * np.cos(leg))
    return thigh, thigh - np.radians(48 - 48 * np.sin(leg))


def _compute_limb(
    side: int,
    root: tuple[float, float],
    lengths: tuple[float, float],
    angles: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return root, middle and end ``[T, 2]`` of a limb of two segments."""
    start = np.broadcast_to((side * root[0], root[1]), (len(angles[0]), 2))
    middle = start + lengths[0] * _make_direction(side, angles[0])
    end = middle + lengths[1] * _make_direction(side, angles[1])
    return start, middle, end


def _make_direction(side: int, angle: np.ndarray) -> np.ndarray:
    """Return unit vectors ``[T, 2]`` of angles that open outward from the body."""
    return np.stack([side * np.sin(angle), -np.cos(angle)], axis=-1)
