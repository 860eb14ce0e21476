"""What the figures of the synthetic data set do: actions that differ in motion and in nothing else.

A pose is two angles on a circle, the phase of the arms and that of one leg. Each phase runs along a closed path of
the limb: the arms rise outstretched and come down folded before the chest, the leg goes out straight and comes back
bent. An action is a pair of velocities: each limb rests in whatever pose it has, moves slowly or moves fast. As the
phases at which a clip starts are uniform, those of each of its frames are uniform as well, whatever the velocities:
one frame says nothing about the action.
Both arms move alike and the moving leg is drawn at random, so mirroring an image changes no action.
"""

import itertools

import numpy as np

FPS = 25
TEMPO = {
    "Rest": 0.0,
    "Slow": 0.6,
    "Fast": 1.6,
}  # cycles per second: at stride 4 a fast cycle still has four frames
ACTIONS = {
    f"Arms{arms}Leg{leg}": (TEMPO[arms], TEMPO[leg])  # name -> velocities of arms and leg
    for arms, leg in itertools.product(TEMPO, TEMPO)
    if (arms, leg) != ("Rest", "Rest")
}

HIP, SHOULDER = (
    (0.06, 0.46),
    (0.115, 0.735),
)  # half width and height above the ground, in body heights
UPPER_ARM, FOREARM, THIGH, SHIN = 0.18, 0.17, 0.22, 0.21  # lengths, in body heights


def phases(action, frames, rng):
    """Phases of arms and leg in cycles, [frames, 2] float64.

    action: a key of ACTIONS.  rng: numpy Generator; it draws the start, a tempo within 10 % of the action's and a slow
    wobble. None of it knows the action, and the start is uniform over the circle.
    """
    seconds = np.arange(frames)[:, None] / FPS
    tempo = rng.uniform(0.9, 1.1, 2)
    wobble = 0.03 * np.sin(2 * np.pi * (rng.uniform(0.3, 0.8, 2) * seconds + rng.uniform(size=2)))
    return rng.uniform(size=2) + np.array(ACTIONS[action]) * tempo * seconds + wobble


def random_pose(rng):
    """Phases of one picture, [1, 2]: the distribution that each frame of each action has."""
    return rng.uniform(size=(1, 2))


def limbs(phases, moving_leg):
    """Where the joints are: name -> [T, 2] of x (right) and y (up) in body heights, the origin between the feet.

    phases: [T, 2] in cycles.  moving_leg: -1 or 1, the side of the leg that moves; the other one stands.
    Names: left_ and right_ before shoulder, elbow, hand, hip, knee and foot; left is x < 0.
    """
    arm, leg = 2 * np.pi * phases.T
    joints = {}
    for side, name in ((-1, "left"), (1, "right")):
        joints |= _chain(
            name,
            side,
            ("shoulder", "elbow", "hand"),
            SHOULDER,
            (UPPER_ARM, FOREARM),
            *_arm_angles(arm),
        )
        angles = (
            _leg_angles(leg)
            if side == moving_leg
            else (np.full_like(leg, 0.06), np.full_like(leg, 0.03))
        )
        joints |= _chain(name, side, ("hip", "knee", "foot"), HIP, (THIGH, SHIN), *angles)
    return joints


def _arm_angles(arm):
    """Upper arm and forearm, 0 down and pi/2 outward: the hand goes once round the shoulder in a cycle."""
    return np.radians(85 - 70 * np.cos(arm)), arm + np.radians(20) * np.sin(arm)


def _leg_angles(leg):
    """Thigh and shin, 0 down and pi/2 outward: the knee is straight on the way out and bent on the way back."""
    thigh = np.radians(40 - 33 * np.cos(leg))
    return thigh, thigh - np.radians(48 - 48 * np.sin(leg))


def _chain(side_name, side, names, root, lengths, first, second):
    """Root, middle and end of a limb of two segments, each at its angle."""
    root = np.broadcast_to((side * root[0], root[1]), (len(first), 2))
    middle = root + lengths[0] * _direction(side, first)
    end = middle + lengths[1] * _direction(side, second)
    return {f"{side_name}_{name}": joint for name, joint in zip(names, (root, middle, end))}


def _direction(side, angle):
    return np.stack([side * np.sin(angle), -np.cos(angle)], axis=-1)
