"""Codecs x containers x B-frames x rates x starts x sound: read for training and anonymized.

A number is painted into each frame (tests/recipes.py). What is read must be what a plain sequential
decode gives; what is written must have the same numbers at the same distances in time, and the same
sound at the same place beside them.

    python tests/media/test_matrix.py --cases=2000 --seed=0 --jobs=2

prints counts by outcome, and what went wrong. The first cases of a seed cover every pair of two
settings; the rest are random.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import faulthandler
import functools
import itertools
import multiprocessing
import os
import pathlib
import random
import re
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where it is run as a command

import av  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import recipes  # noqa: E402
from recipes import Recipe  # noqa: E402

from tfanon.media import frame_reader  # noqa: E402

pytestmark = pytest.mark.skipif(recipes.needs_ffmpeg, reason="makes its files with ffmpeg")

SIDE = 64  # of frames read for training
SECONDS = 60  # after which a case counts as hanging
TARGETS = ("mp4", "mkv", "mov", "avi")
MODES = (
    "none",
    "aac dropped",
    "aac kept",
    "mp3 dropped",
    "mp3 kept",
    "pcm dropped",
    "pcm kept",
    "opus dropped",
    "opus kept",
)
OK, REFUSED = "ok", "refused before work"
MISORDERED = (
    "refused, as its times are not in order"  # as ffmpeg writes XviD with B-frames into Matroska
)
BAD = (
    "refused without need",
    "refused late",
    "refused without its name",
    "wrong order",
    "wrong count",
    "wrong time",
    "wrong sound",
    "not anonymized",
    "traceback",
    "leftover",
    "crash or hang",
)
# Seconds by which a time may be off in a container: half a unit of its clock.
UNITS = {
    "mkv": 0.0005,
    "webm": 0.0005,
    "mpg": 0.0005,
}  # MPEG: most times are worked out from others
FEW = 6  # packets of sound in which no tone can be found reliably
SLOT = (
    1 / 10
)  # of the slowest rate here, the longest by which an AVI file's sound may be off its picture


@dataclasses.dataclass(frozen=True)
class Case:
    """A recipe, whether its sound is kept, and the ending of what is made of it."""

    recipe: Recipe
    keep: bool
    target: str

    def __str__(self) -> str:
        made = self.recipe
        sound = (
            made.sound
            if made.sound == "none"
            else f"{made.sound} {'kept' if self.keep else 'dropped'}"
        )
        settings = made.codec, made.container, made.pictures, made.rate, made.start, sound
        return f"{', '.join(settings)}, to {self.target}"


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a case: an outcome, and the line that says why where it is not OK."""

    case: Case
    outcome: str
    reason: str = ""


@functools.cache
def list_cases() -> tuple[Case, ...]:
    """Every case there is."""
    found = []
    for codec, container, pictures, rate, start, mode, target in itertools.product(
        recipes.ENCODERS,
        recipes.CONTAINERS,
        ("plain", "b-frames", "open cut"),
        [*recipes.RATES, "variable"],
        ("zero", "late", "picture late", "sound late"),
        MODES,
        TARGETS,
    ):
        sound, _, fate = mode.partition(" ")
        recipe = Recipe(codec, container, pictures, rate, start, sound)
        if recipes.fits(recipe):
            found.append(Case(recipe, fate == "kept", target))
    return tuple(found)


def describe(case: Case) -> tuple[str, ...]:
    """The case's settings, one word each."""
    made = case.recipe
    sound = f"{made.sound} {case.keep}"
    return made.codec, made.container, made.pictures, made.rate, made.start, sound, case.target


def list_pairs(case: Case) -> set[tuple]:
    """Every two settings of a case."""
    return set(itertools.combinations(enumerate(describe(case)), 2))


def choose_cases(count: int, seed: int) -> Iterator[Case]:
    """Cases that cover every pair of settings as soon as a greedy choice can, then random ones; no
    two alike.
    """
    chance, left = random.Random(seed), list(list_cases())
    chance.shuffle(left)
    missing = set().union(*map(list_pairs, left))
    chosen = set()
    for _ in range(min(count, len(left))):
        pool = (
            left
            if not missing
            else [case for case in chance.sample(left, 400) if case not in chosen]
        )
        best = (
            max(pool, key=lambda case: len(list_pairs(case) & missing))
            if missing
            else next(case for case in left if case not in chosen)
        )
        if missing and not list_pairs(best) & missing:
            pair = min(missing)  # a rare one, that no sample had: the first case with it
            best = next(case for case in left if pair in list_pairs(case) and case not in chosen)
        missing -= list_pairs(best)
        chosen.add(best)
        yield best


def check_case(case: Case, folder: pathlib.Path) -> Result:
    """Make a case's file in an empty folder, read it, anonymize it, and compare."""
    given = folder / f"in{case.recipe.ending}"
    try:
        recipes.make(given, case.recipe)
    except RuntimeError as error:
        return Result(case, "not made", str(error))
    numbers = recipes.decode_numbers(given)
    if not numbers:
        return Result(case, "not made", "a cut that hides every frame")
    if case.recipe.pictures != "open cut":
        assert None not in numbers and is_subsequence(numbers, case.recipe.numbers), (
            f"{case}: made {numbers}"
        )
        assert len(numbers) >= len(case.recipe.numbers) - 2, f"{case}: made {numbers}"
    try:
        return check_training(case, str(given), numbers) or check_anonymizing(
            case, given, numbers, folder
        )
    except Exception:  # whatever it is, it is no line for the person who gave the file
        return Result(case, "traceback", traceback.format_exc(limit=-3))


def is_subsequence(some: Sequence, all_of_them: Iterable) -> bool:
    """Whether `some` is what is left of the others when a few are taken out."""
    rest = iter(all_of_them)
    return all(one in rest for one in some)


def drop_leading(numbers: list[int | None]) -> list[int | None]:
    """Without what comes before the first readable number: pictures that lack a reference."""
    readable = (place for place, number in enumerate(numbers) if number is not None)
    return numbers[next(readable, 0) :]


def accepted_numbers(case: Case, numbers: list[int | None]) -> list[list[int | None]]:
    """What may be read of a file whose sequential decode gives these numbers.

    Of a cut, leading pictures that lack a reference may be dropped: those before the key frame,
    number 12.
    """
    if case.recipe.pictures != "open cut":
        return [numbers]
    leading = [place for place, number in enumerate(numbers[:4]) if number is None or number < 12]
    kept = numbers[leading[-1] + 1 :] if leading else numbers
    return [numbers, drop_leading(numbers), kept]


def say(numbers: Sequence) -> str:
    """Numbers in few words."""
    return " ".join("?" if number is None else str(number) for number in numbers)


def judge_numbers(found: list, accepted: list[list], what: str, case: Case) -> Result | None:
    """None where the numbers are among those accepted."""
    if found in accepted:
        return None
    readable = [number for number in found if number is not None]
    outcome = (
        "wrong order"
        if readable != sorted(readable) or len(found) == len(accepted[0])
        else "wrong count"
    )
    return Result(case, outcome, f"{what}: {say(found)} instead of {say(accepted[0])}")


def check_training(case: Case, given: str, numbers: list[int | None]) -> Result | None:
    """None where what training reads is what a sequential decode gives."""
    try:
        frames = frame_reader.read_frames(given, range, SIDE, SIDE)
        some = frame_reader.read_frames(given, lambda count: [count - 1, count // 2], SIDE, SIDE)
        count = frame_reader.count_frames(given)
    except frame_reader.MediaError as error:
        return Result(case, "refused without need", f"training: {error}")
    found = [recipes.read_number(frame) for frame in frames]
    wrong = judge_numbers(found, accepted_numbers(case, numbers), "training", case)
    if wrong:
        return wrong
    if count != len(found):
        return Result(case, "wrong count", f"training: counted {count}, read {len(found)}")
    if not np.array_equal(some, frames[[count - 1, count // 2]]):
        alone = say(map(recipes.read_number, some))
        return Result(
            case, "wrong order", f"training: frames {count - 1} and {count // 2} alone are {alone}"
        )
    return None


def check_anonymizing(
    case: Case, given: pathlib.Path, numbers: list, folder: pathlib.Path
) -> Result:
    """The result of anonymizing, once training has read the file."""
    target, calls = folder / f"out.{case.target}", []
    before = recipes.list_folder(folder)
    try:
        recipes.anonymize(str(given), target, case.keep, calls=calls)
    except ValueError as error:
        return judge_refusal(
            case, str(error), recipes.list_folder(folder) != before, bool(calls), given
        )
    left = [name for name in recipes.list_folder(folder) if name not in (*before, target.name)]
    if left:
        return Result(case, "leftover", f"{left}")
    return judge_output(case, given, target, numbers) or Result(case, OK)


def judge_refusal(case: Case, line: str, leftover: bool, late: bool, given: pathlib.Path) -> Result:
    """What a refusal is worth: one true line before work, for what the target cannot hold."""
    if leftover:
        return Result(case, "leftover", line)
    if "\n" in line or not re.search(r"\bin\.|\bout\.|\.(mp4|mkv|mov|avi|webm)\b", line):
        return Result(case, "refused without its name", line)
    if re.search(r"\bout\.\w+: (Invalid|Operation|Cannot)", line):
        return Result(
            case, "refused without its name", line
        )  # an error of libav, blamed on the output
    if (
        "on_damage" in line
        and case.recipe.container not in ("avi", "mpg")
        and not has_times_in_order(given)
    ):
        return Result(case, MISORDERED, line)
    if not may_refuse(case, given):
        return Result(case, "refused without need", line)
    return Result(case, "refused late" if late else REFUSED, line)


def may_refuse(case: Case, given: pathlib.Path) -> bool:
    """Whether the target cannot hold what the file has."""
    made = case.recipe
    if case.target == "avi":
        seconds = find_seconds(case, given)
        steps = np.diff(
            [seconds[number] for number in recipes.decode_numbers(given) if number is not None]
        )
        slots = steps / steps.min(initial=np.inf)
        uneven = np.abs(slots - np.rint(slots)).max(initial=0) > 0.05
        # the first packet of sound in a fragment lasts until a gap behind it ends
        apart = (
            made.start != "zero"
            or made.pictures == "open cut"
            or made.container == "fragmented mp4"
        )
        if uneven or case.keep and apart:
            return True
    cannot = {"mp4": ("pcm",), "mov": ("opus",), "avi": ("opus",), "mkv": ()}[case.target]
    return case.keep and made.sound in cannot


def judge_output(
    case: Case, given: pathlib.Path, target: pathlib.Path, numbers: list
) -> Result | None:
    """None where the output has the pictures, the times and the sound of the input."""
    frames = recipes.decode(target)
    pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
    clear = [place for place, image in enumerate(pixels) if not recipes.is_negative(image)]
    if clear:
        return Result(case, "not anonymized", f"frames {clear}")
    found = [recipes.read_number(image) for image in pixels]
    wrong = judge_numbers(found, accepted_numbers(case, numbers), "output", case)
    if wrong:
        return wrong
    if recipes.probe_count(target) != len(found):
        return Result(
            case, "wrong count", f"ffprobe counts {recipes.probe_count(target)} of {len(found)}"
        )
    times = recipes.find_slots(target) or [float(frame.pts * frame.time_base) for frame in frames]
    if len(times) != len(found):
        return Result(
            case, "wrong count", f"{len(times)} slots hold a picture, {len(found)} are decoded"
        )
    meant, said = dict(enumerate(map(float, case.recipe.seconds))), find_seconds(case, given)
    if judge_times(case, times, found, meant) and judge_times(case, times, found, said):
        return judge_times(case, times, found, said)
    return judge_sound(case, given, target)


def judge_times(
    case: Case, times: list[float], found: list, seconds: dict[int, float]
) -> Result | None:
    """None where the frames have the distances in time that these seconds of their numbers have."""
    known = [(time, number) for time, number in zip(times, found) if number is not None]
    made = case.recipe
    if made.codec.startswith("xvid"):
        # ffmpeg does not ask libxvid for its last frames, and leaves a gap behind the first.
        known = known[1:-1]
    untold = made.rate == "variable" and (made.codec.startswith("xvid") or made.container == "mpg")
    # of small pictures of H.264 ffmpeg writes one time per packet of 2 KB, and libav derives none
    untold = untold or made.container == "mpg" and made.codec == "h264"
    if untold or not known:
        return None  # times in the order of coding; one time per packet of 2 KB
    wanted = np.array([float(seconds[number]) for _, number in known])
    times = np.array([time for time, _ in known])
    wanted, times = wanted - wanted[0], times - times[0]
    allowed = 2 * UNITS.get(case.recipe.container, 0) + 2 * UNITS.get(case.target, 0) + 5e-5
    if case.target == "avi":
        allowed += 0.001
    worst = int(np.argmax(np.abs(times - wanted)))
    if abs(times[worst] - wanted[worst]) <= allowed:
        return None
    return Result(
        case,
        "wrong time",
        f"number {known[worst][1]} at {times[worst]:.6f} s, not {wanted[worst]:.6f} s, "
        f"after {known[0][1]}",
    )


def find_seconds(case: Case, given: pathlib.Path) -> dict[int, float]:
    """{number: time}: what the container says, or where it says none that can be relied on, what
    was meant.
    """
    meant = dict(enumerate(map(float, case.recipe.seconds)))
    if case.recipe.container == "mpg":
        return meant
    slots = recipes.find_slots(given)
    if slots:
        numbers = [number for number in recipes.decode_numbers(given) if number is not None]
        return meant | dict(zip(numbers[::-1], slots[::-1]))
    said = {}
    for frame in recipes.decode(given):
        number = recipes.read_number(frame.to_ndarray(format="rgb24"))
        if number is not None and frame.pts is not None:
            said[number] = float(frame.pts * frame.time_base)
    return meant | said


def has_times_in_order(given: pathlib.Path) -> bool:
    """Whether every frame comes later than the one before it, by the container."""
    times = [frame.pts for frame in recipes.decode(given)]
    return None not in times and bool((np.diff(times) > 0).all())


def judge_sound(case: Case, given: pathlib.Path, target: pathlib.Path) -> Result | None:
    """None where the sound is what it was, as far from the first picture as it was; or gone, where
    it is dropped.
    """
    if case.recipe.sound == "none" or not case.keep:
        if recipes.read_sound(target):
            return Result(case, "wrong sound", "sound was not dropped")
        return None
    packets, then = recipes.list_sound(given), recipes.read_sound(target)
    first = b"".join(data for data, _ in packets)
    # What comes before zero is left out where a container has no negative times.
    early = [data for data, seconds in packets if seconds < 0]
    if not first.endswith(then) or len(then) < len(first) - len(b"".join(early)):
        return Result(
            case, "wrong sound", f"its packets differ: {len(first)} bytes, then {len(then)}"
        )
    before, after = recipes.find_offset(given), recipes.find_offset(target)
    allowed = 0.001 + UNITS.get(case.target, 0) + UNITS.get(case.recipe.container, 0)
    if case.recipe.sound == "opus":
        # ffmpeg's own copy moves it as far: it reads the delay of the encoder in two ways
        allowed += 0.014
    if case.target == "avi":
        allowed = SLOT / 2 + 0.027  # half a slot of the picture, and a packet of the sound
    if case.recipe.codec == "xvid" and case.recipe.container != "avi":
        return None  # ffmpeg writes the times of its pictures in the order of coding
    if before is None or len(packets) <= len(early) + FEW:
        return None
    if case.recipe.sound == "mp3" and (early or case.recipe.pictures == "open cut"):
        allowed += 0.1  # behind a cut, decoders have no bits for the first packets
    right = [before]
    if (
        case.recipe.pictures != "open cut"
    ):  # decoders differ in what they make of an encoder's delay
        late = {"picture late": -0.5, "sound late": 0.5}
        right.append(recipes.SILENCE + late.get(case.recipe.start, 0))
    if after is None or min(abs(after - offset) for offset in right) > allowed:
        line = f"the tone comes {after} s after the first picture, not {before} s"
        return Result(case, "wrong sound", line)
    return None


def run_case(case: Case) -> Result:
    """check_case in a folder of its own, in a process that ends where it takes too long."""
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return check_case(case, pathlib.Path(folder))
    finally:
        faulthandler.cancel_dump_traceback_later()


def run_cases(cases: Iterable[Case], jobs: int) -> Iterator[Result]:
    """Results in the order in which they are there; a process that dies costs the cases it had."""
    left = collections.deque(cases)
    while left:
        batch = [left.popleft() for _ in range(min(50, len(left)))]
        with concurrent.futures.ProcessPoolExecutor(
            jobs, multiprocessing.get_context("spawn"), _quiet
        ) as pool:
            asked = {pool.submit(run_case, case): case for case in batch}
            for done in concurrent.futures.as_completed(asked):
                try:
                    yield done.result()
                except concurrent.futures.process.BrokenProcessPool:
                    yield from run_alone(asked[done])


def run_alone(case: Case) -> Iterator[Result]:
    """The result of a case in a process of its own: one of several was lost with a process."""
    with concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), _quiet
    ) as pool:
        try:
            yield pool.submit(run_case, case).result()
        except concurrent.futures.process.BrokenProcessPool:
            yield Result(case, "crash or hang")


def _quiet() -> None:
    av.logging.set_level(None)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def summarize(results: Sequence[Result]) -> str:
    """Counts by outcome, then of each bad outcome its reasons, with a case for each."""
    counts = collections.Counter(result.outcome for result in results)
    lines = [
        f"{counts[outcome]:6} {outcome}"
        for outcome in (OK, REFUSED, MISORDERED, "not made", *BAD)
        if counts[outcome]
    ]
    reasons = collections.defaultdict(list)
    for result in results:
        if result.outcome != OK:
            known = re.sub(
                r"/\S*/", "", result.reason.strip().splitlines()[-1] if result.reason else ""
            )
            reasons[result.outcome, re.sub(r"-?\d+(\.\d+)?( \d+)*", "#", known)].append(result)
    for (outcome, reason), alike in sorted(reasons.items(), key=lambda item: -len(item[1])):
        lines.append(f"{outcome}, {len(alike)}:")
        for result in sorted(alike, key=lambda result: str(result.case))[:: -(-len(alike) // 4)]:
            lines.append(f"    {result.case}\n        {result.reason.strip()[-600:]}")
    return "\n".join(lines)


def assert_fine(results: Sequence[Result]) -> None:
    """Assert that nothing went wrong, with a summary where something did."""
    assert all(result.outcome not in BAD for result in results), summarize(results)


# every codec, container, rate, start, sound and target once or more, the cheap ones of each kind
QUICK = [
    Case(Recipe("h264", "mp4", "b-frames", "25", "zero", "aac"), True, "mkv"),
    Case(Recipe("h264", "fragmented mp4", "b-frames", "60000/1001", "late", "mp3"), True, "mp4"),
    Case(Recipe("h264", "mkv", "open cut", "30000/1001", "zero", "pcm"), True, "mov"),
    Case(Recipe("mpeg4", "avi", "b-frames", "variable", "zero", "mp3"), True, "mkv"),
    Case(Recipe("xvid packed", "avi", "b-frames", "25", "zero", "mp3"), False, "avi"),
    Case(Recipe("mpeg2", "mpg", "b-frames", "24000/1001", "sound late", "mp3"), True, "mp4"),
    Case(Recipe("hevc", "mov", "b-frames", "variable", "zero", "aac"), False, "avi"),
    Case(Recipe("vp9", "webm", "b-frames", "10", "late", "opus"), True, "mkv"),
    Case(Recipe("av1", "mkv", "plain", "15", "picture late", "aac"), False, "mp4"),
    Case(Recipe("mjpeg", "avi", "plain", "10", "zero", "none"), False, "mov"),
    Case(Recipe("prores", "mov", "plain", "15", "zero", "pcm"), True, "avi"),
]


@pytest.mark.parametrize("case", QUICK, ids=str)
def test_a_case(tmp_path: pathlib.Path, case: Case) -> None:
    assert_fine([check_case(case, tmp_path)])


@pytest.mark.large
def test_every_pair_of_settings_and_random_cases() -> None:
    cases = list(choose_cases(int(os.environ.get("TFANON_MATRIX_CASES", 400)), seed=0))
    results = list(run_cases(cases, len(os.sched_getaffinity(0))))
    print(summarize(results))
    assert_fine(results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--only", default="", help="words that the case's line must have, separated by commas"
    )
    given = parser.parse_args()
    words = [word.strip() for word in given.only.split(",") if word.strip()]
    if words:
        alike = [case for case in list_cases() if all(word in describe(case) for word in words)]
        cases = random.Random(given.seed).sample(alike, min(given.cases, len(alike)))
    else:
        cases = list(choose_cases(given.cases, given.seed))
    results = list(run_cases(cases, given.jobs))
    print(summarize(results))
    return int(any(result.outcome in BAD for result in results))


if __name__ == "__main__":
    sys.exit(main())
