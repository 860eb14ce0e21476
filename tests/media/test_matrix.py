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

pytestmark = pytest.mark.skipif(recipes.ffmpeg_is_missing, reason="makes its files with ffmpeg")

SIDE = 64  # of frames as training reads them
TIMEOUT_SECONDS = 60  # after which a case counts as hanging
TARGETS = ("mp4", "mkv", "mov", "avi")
STARTS = ("zero", "late", "picture late", "sound late")
SOUND_MODES = (
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
OK, REFUSED, NOT_MADE = "ok", "refused before work", "not made"
MISORDERED = "refused, as its times are not in order"  # as ffmpeg writes XviD into Matroska
BAD_OUTCOMES = (
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
# container -> seconds by which a time may be off: half a unit of its clock. In MPEG program streams
# most times are derived from others.
TIME_ERROR_SECONDS = {"mkv": 0.0005, "webm": 0.0005, "mpg": 0.0005}
AVI_TIME_ERROR_SECONDS = 0.001
MIN_SOUND_PACKETS = 6  # with fewer, no tone can be found reliably
MAX_SLOT_SECONDS = 1 / 10  # at the slowest rate here, by which sound in AVI may be off its frame
SOUND_PACKET_SECONDS = 0.027
OPUS_DELAY_SECONDS = 0.014  # ffmpeg's own copy moves it as far: it reads the delay in two ways
FIRST_KEY_FRAME = recipes.GOP  # number of the frame at which an open cut begins
# target -> sound formats that it cannot hold
UNSUPPORTED_SOUNDS = {"mp4": ("pcm",), "mov": ("opus",), "avi": ("opus",), "mkv": ()}
CASES_PER_PROCESS_POOL = 50


@dataclasses.dataclass(frozen=True)
class Case:
    """A recipe, whether its sound is kept, and the ending of what is made of it."""

    recipe: Recipe
    keep: bool
    target: str

    def __str__(self) -> str:
        made = self.recipe
        sound = made.sound
        if sound != "none":
            sound += " kept" if self.keep else " dropped"
        settings = made.codec, made.container, made.pictures, made.rate, made.start, sound
        return f"{', '.join(settings)}, to {self.target}"


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a case: an outcome, and the line that explains it unless it is OK."""

    case: Case
    outcome: str
    reason: str = ""


@functools.cache
def list_cases() -> tuple[Case, ...]:
    """Every supported case."""
    cases = []
    for codec, container, pictures, rate, start, mode, target in itertools.product(
        recipes.ENCODER_OPTIONS,
        recipes.CONTAINER_OPTIONS,
        recipes.B_FRAME_MODES,
        [*recipes.RATES, "variable"],
        STARTS,
        SOUND_MODES,
        TARGETS,
    ):
        sound, _, fate = mode.partition(" ")
        recipe = Recipe(codec, container, pictures, rate, start, sound)
        if recipes.is_supported(recipe):
            cases.append(Case(recipe, fate == "kept", target))
    return tuple(cases)


def list_settings(case: Case) -> tuple[str, ...]:
    """The case's settings, one word each."""
    made = case.recipe
    sound = f"{made.sound} {case.keep}"
    return made.codec, made.container, made.pictures, made.rate, made.start, sound, case.target


def list_pairs(case: Case) -> set[tuple]:
    """Every two settings of a case."""
    return set(itertools.combinations(enumerate(list_settings(case)), 2))


def choose_cases(count: int, seed: int) -> Iterator[Case]:
    """Cases that cover every pair of settings as soon as a greedy choice can, then random ones.

    No two are alike.
    """
    rng, cases = random.Random(seed), list(list_cases())
    rng.shuffle(cases)
    missing = set().union(*map(list_pairs, cases))
    chosen: set[Case] = set()
    for _ in range(min(count, len(cases))):
        if missing:
            best = _choose_covering_case(rng, cases, missing, chosen)
        else:
            best = next(case for case in cases if case not in chosen)
        missing -= list_pairs(best)
        chosen.add(best)
        yield best


def _choose_covering_case(
    rng: random.Random, cases: list[Case], missing: set[tuple], chosen: set[Case]
) -> Case:
    """The case of a sample that covers most of the missing pairs."""
    sample = [case for case in rng.sample(cases, 400) if case not in chosen]
    best = max(sample, key=lambda case: len(list_pairs(case) & missing))
    if list_pairs(best) & missing:
        return best
    pair = min(missing)  # a rare one, in no case of the sample
    return next(case for case in cases if pair in list_pairs(case) and case not in chosen)


def check_case(case: Case, folder: pathlib.Path) -> Result:
    """Make a case's file in an empty folder, read it, anonymize it, and compare."""
    path = folder / f"in{case.recipe.ending}"
    try:
        recipes.encode_recipe(path, case.recipe)
    except RuntimeError as error:
        return Result(case, NOT_MADE, str(error))
    numbers = recipes.decode_numbers(path)
    if not numbers:
        return Result(case, NOT_MADE, "a cut that hides every frame")
    if case.recipe.pictures != "open cut":
        is_ordered = None not in numbers and is_subsequence(numbers, case.recipe.numbers)
        assert is_ordered, f"{case}: made {numbers}"
        assert len(numbers) >= len(case.recipe.numbers) - 2, f"{case}: made {numbers}"
    try:
        problem = check_training(case, str(path), numbers)
        return problem or check_anonymizing(case, path, numbers, folder)
    except Exception:  # whatever it is, users would see a traceback
        return Result(case, "traceback", traceback.format_exc(limit=-3))


def is_subsequence(some: Sequence, complete: Iterable) -> bool:
    """Whether ``some`` is left of the complete sequence when a few items are taken out."""
    rest = iter(complete)
    return all(item in rest for item in some)


def drop_leading(numbers: list[int | None]) -> list[int | None]:
    """Without what comes before the first readable number: frames that lack a reference."""
    for index, number in enumerate(numbers):
        if number is not None:
            return numbers[index:]
    return numbers


def list_accepted_numbers(case: Case, numbers: list[int | None]) -> list[list[int | None]]:
    """What may be read of a file whose sequential decode gives these numbers.

    Of a cut, leading frames that lack a reference may be dropped: those before the key frame.
    """
    if case.recipe.pictures != "open cut":
        return [numbers]
    leading = []
    for index, number in enumerate(numbers[:4]):
        if number is None or number < FIRST_KEY_FRAME:
            leading.append(index)
    from_key_frame = numbers[leading[-1] + 1 :] if leading else numbers
    return [numbers, drop_leading(numbers), from_key_frame]


def format_numbers(numbers: Iterable[int | None]) -> str:
    return " ".join("?" if number is None else str(number) for number in numbers)


def check_numbers(actual: list, accepted: list[list], stage: str, case: Case) -> Result | None:
    """None if the numbers are among those accepted."""
    if actual in accepted:
        return None
    readable = [number for number in actual if number is not None]
    is_misordered = readable != sorted(readable) or len(actual) == len(accepted[0])
    outcome = "wrong order" if is_misordered else "wrong count"
    line = f"{stage}: {format_numbers(actual)} instead of {format_numbers(accepted[0])}"
    return Result(case, outcome, line)


def check_training(case: Case, path: str, numbers: list[int | None]) -> Result | None:
    """None if training reads what a sequential decode gives."""
    try:
        frames = frame_reader.read_frames(path, range, SIDE, SIDE)
        some = frame_reader.read_frames(path, lambda count: [count - 1, count // 2], SIDE, SIDE)
        count = frame_reader.count_frames(path)
    except frame_reader.MediaError as error:
        return Result(case, "refused without need", f"training: {error}")
    actual = [recipes.read_number(frame) for frame in frames]
    problem = check_numbers(actual, list_accepted_numbers(case, numbers), "training", case)
    if problem:
        return problem
    if count != len(actual):
        return Result(case, "wrong count", f"training: counted {count}, read {len(actual)}")
    if not np.array_equal(some, frames[[count - 1, count // 2]]):
        alone = format_numbers(map(recipes.read_number, some))
        line = f"training: frames {count - 1} and {count // 2} alone are {alone}"
        return Result(case, "wrong order", line)
    return None


def check_anonymizing(
    case: Case, path: pathlib.Path, numbers: list, folder: pathlib.Path
) -> Result:
    """The result of anonymizing, once training has read the file."""
    target, calls = folder / f"out.{case.target}", []
    before = recipes.list_folder(folder)
    try:
        recipes.write_negative(path, target, case.keep, calls=calls)
    except ValueError as error:
        has_leftover = recipes.list_folder(folder) != before
        return check_refusal(case, str(error), has_leftover, bool(calls), path)
    leftovers = [name for name in recipes.list_folder(folder) if name not in (*before, target.name)]
    if leftovers:
        return Result(case, "leftover", f"{leftovers}")
    return check_output(case, path, target, numbers) or Result(case, OK)


def check_refusal(
    case: Case, line: str, has_leftover: bool, is_late: bool, path: pathlib.Path
) -> Result:
    """Whether a refusal is one true line before any work, for what the target cannot hold."""
    if has_leftover:
        return Result(case, "leftover", line)
    if "\n" in line or not re.search(r"\bin\.|\bout\.|\.(mp4|mkv|mov|avi|webm)\b", line):
        return Result(case, "refused without its name", line)
    # an error of libav with the input, blamed on the output
    if re.search(r"\bout\.\w+: (Invalid|Operation|Cannot)", line):
        return Result(case, "refused without its name", line)
    has_times = case.recipe.container not in ("avi", "mpg")
    if "on_damage" in line and has_times and not has_times_in_order(path):
        return Result(case, MISORDERED, line)
    if not may_refuse(case, path):
        return Result(case, "refused without need", line)
    return Result(case, "refused late" if is_late else REFUSED, line)


def may_refuse(case: Case, path: pathlib.Path) -> bool:
    """Whether the target cannot hold what the file has."""
    made = case.recipe
    if case.target == "avi":
        if has_uneven_times(case, path):
            return True
        # The first packet of sound in a fragment lasts until a gap after it ends.
        is_fragmented = made.container == "fragmented mp4"
        is_apart = made.start != "zero" or made.pictures == "open cut" or is_fragmented
        if case.keep and is_apart:
            return True
    return case.keep and made.sound in UNSUPPORTED_SOUNDS[case.target]


def has_uneven_times(case: Case, path: pathlib.Path) -> bool:
    seconds = find_seconds(case, path)
    numbers = [number for number in recipes.decode_numbers(path) if number is not None]
    steps = np.diff([seconds[number] for number in numbers])
    slots = steps / steps.min(initial=np.inf)
    return bool(np.abs(slots - np.rint(slots)).max(initial=0) > 0.05)


def check_output(
    case: Case, path: pathlib.Path, target: pathlib.Path, numbers: list
) -> Result | None:
    """None if the output has the frames, the times and the sound of the input."""
    frames = recipes.decode(target)
    pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
    unchanged = [index for index, image in enumerate(pixels) if not recipes.is_negative(image)]
    if unchanged:
        return Result(case, "not anonymized", f"frames {unchanged}")
    actual = [recipes.read_number(image) for image in pixels]
    problem = check_numbers(actual, list_accepted_numbers(case, numbers), "output", case)
    if problem:
        return problem
    count = recipes.count_frames_with_ffprobe(target)
    if count != len(actual):
        return Result(case, "wrong count", f"ffprobe counts {count} of {len(actual)}")
    times = recipes.list_slot_times(target)
    if not times:
        times = [float(frame.pts * frame.time_base) for frame in frames]
    if len(times) != len(actual):
        line = f"{len(times)} slots hold a frame, {len(actual)} are decoded"
        return Result(case, "wrong count", line)
    intended = dict(enumerate(map(float, case.recipe.seconds)))
    if check_times(case, times, actual, intended):
        problem = check_times(case, times, actual, find_seconds(case, path))
    return problem or check_sound(case, path, target)


def check_times(
    case: Case, times: list[float], numbers: list, seconds: dict[int, float]
) -> Result | None:
    """None if the frames have the distances in time that these seconds of their numbers have."""
    if has_unknown_times(case.recipe):
        return None
    pairs = zip(times, numbers, strict=True)
    known = [(time, number) for time, number in pairs if number is not None]
    if case.recipe.codec.startswith("xvid"):
        # ffmpeg does not ask libxvid for its last frames, and leaves a gap after the first.
        known = known[1:-1]
    if not known:
        return None
    expected = np.array([float(seconds[number]) for _, number in known])
    actual = np.array([time for time, _ in known])
    expected, actual = expected - expected[0], actual - actual[0]
    allowed = 5e-5
    for container in (case.recipe.container, case.target):
        allowed += 2 * TIME_ERROR_SECONDS.get(container, 0)
    if case.target == "avi":
        allowed += AVI_TIME_ERROR_SECONDS
    worst = int(np.argmax(np.abs(actual - expected)))
    if abs(actual[worst] - expected[worst]) <= allowed:
        return None
    line = (
        f"number {known[worst][1]} at {actual[worst]:.6f} s, not {expected[worst]:.6f} s, "
        f"after {known[0][1]}"
    )
    return Result(case, "wrong time", line)


def has_unknown_times(made: Recipe) -> bool:
    """Whether a file's own times differ from those of its frames."""
    is_variable = made.rate == "variable"
    if is_variable and made.codec.startswith("xvid"):
        return True  # the times are in coding order
    # Packets hold 2 KB, with one time each: of small frames of H.264 libav derives no others.
    return made.container == "mpg" and (is_variable or made.codec == "h264")


def find_seconds(case: Case, path: pathlib.Path) -> dict[int, float]:
    """{number: time} by the container; the intended time where its own cannot be relied on."""
    intended = dict(enumerate(map(float, case.recipe.seconds)))
    if case.recipe.container == "mpg":
        return intended
    slots = recipes.list_slot_times(path)
    if slots:
        numbers = [number for number in recipes.decode_numbers(path) if number is not None]
        return intended | dict(zip(numbers[::-1], slots[::-1], strict=False))
    seconds = {}
    for frame in recipes.decode(path):
        number = recipes.read_number(frame.to_ndarray(format="rgb24"))
        if number is not None and frame.pts is not None:
            seconds[number] = float(frame.pts * frame.time_base)
    return intended | seconds


def has_times_in_order(path: pathlib.Path) -> bool:
    """Whether every frame comes later than the one before it, by the container."""
    times = [frame.pts for frame in recipes.decode(path)]
    return None not in times and bool((np.diff(times) > 0).all())


def check_sound(case: Case, path: pathlib.Path, target: pathlib.Path) -> Result | None:
    """None if the sound is as before, as far from the first frame; or gone, if it is dropped."""
    made = case.recipe
    copy = recipes.read_sound(target)
    if made.sound == "none" or not case.keep:
        return Result(case, "wrong sound", "sound was not dropped") if copy else None
    packets = recipes.list_sound_packets(path)
    original = b"".join(data for data, _ in packets)
    # What comes before zero is left out if a container has no negative times.
    early = [data for data, seconds in packets if seconds < 0]
    if not original.endswith(copy) or len(copy) < len(original) - len(b"".join(early)):
        line = f"its packets differ: {len(original)} bytes, then {len(copy)}"
        return Result(case, "wrong sound", line)
    if made.codec == "xvid" and made.container != "avi":
        return None  # ffmpeg writes the times of its frames in coding order
    return check_tone(case, path, target, len(packets), len(early))


def check_tone(
    case: Case, path: pathlib.Path, target: pathlib.Path, packets: int, early: int
) -> Result | None:
    """None if the tone is as far from the first frame as before.

    packets: of sound.  early: those of them before time zero.
    """
    made = case.recipe
    before, after = recipes.measure_tone_offset(path), recipes.measure_tone_offset(target)
    if before is None or packets <= early + MIN_SOUND_PACKETS:
        return None
    accepted = [before]
    if made.pictures != "open cut":  # decoders differ in how they treat an encoder's delay
        late = {"picture late": -0.5, "sound late": 0.5}
        accepted.append(recipes.SILENCE_SECONDS + late.get(made.start, 0))
    allowed = compute_tone_tolerance(case, early)
    if after is None or min(abs(after - offset) for offset in accepted) > allowed:
        line = f"the tone comes {after} s after the first frame, not {before} s"
        return Result(case, "wrong sound", line)
    return None


def compute_tone_tolerance(case: Case, early: int) -> float:
    """Seconds by which the tone may be off.  early: packets of sound before time zero."""
    made = case.recipe
    allowed = 0.001
    for container in (case.target, made.container):
        allowed += TIME_ERROR_SECONDS.get(container, 0)
    if made.sound == "opus":
        allowed += OPUS_DELAY_SECONDS
    if case.target == "avi":
        allowed = MAX_SLOT_SECONDS / 2 + SOUND_PACKET_SECONDS  # half a slot, and a packet of sound
    if made.sound == "mp3" and (early or made.pictures == "open cut"):
        allowed += 0.1  # after a cut, decoders have no bits for the first packets
    return allowed


def run_case(case: Case) -> Result:
    """check_case in a folder of its own; the process ends if it takes too long."""
    faulthandler.dump_traceback_later(TIMEOUT_SECONDS, exit=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return check_case(case, pathlib.Path(folder))
    finally:
        faulthandler.cancel_dump_traceback_later()


def run_cases(cases: Iterable[Case], jobs: int) -> Iterator[Result]:
    """Results as they finish; the cases of a process that dies are run again, each alone."""
    queue = collections.deque(cases)
    while queue:
        batch = [queue.popleft() for _ in range(min(CASES_PER_PROCESS_POOL, len(queue)))]
        with start_pool(jobs) as pool:
            futures = {pool.submit(run_case, case): case for case in batch}
            for future in concurrent.futures.as_completed(futures):
                try:
                    yield future.result()
                except concurrent.futures.process.BrokenProcessPool:
                    yield run_alone(futures[future])


def run_alone(case: Case) -> Result:
    """The result of a case in a process of its own."""
    with start_pool(1) as pool:
        try:
            return pool.submit(run_case, case).result()
        except concurrent.futures.process.BrokenProcessPool:
            return Result(case, "crash or hang")


def start_pool(jobs: int) -> concurrent.futures.ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(jobs, context, _silence_libraries)


def _silence_libraries() -> None:
    av.logging.set_level(None)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def generalize_reason(reason: str) -> str:
    """The last line of a reason without folders and numbers, to count similar ones."""
    if not reason.strip():
        return ""
    line = re.sub(r"/\S*/", "", reason.strip().splitlines()[-1])
    return re.sub(r"-?\d+(\.\d+)?( \d+)*", "#", line)


def summarize(results: Sequence[Result]) -> str:
    """Counts by outcome, then of each bad outcome its reasons, with a few cases for each."""
    counts = collections.Counter(result.outcome for result in results)
    lines = []
    for outcome in (OK, REFUSED, MISORDERED, NOT_MADE, *BAD_OUTCOMES):
        if counts[outcome]:
            lines.append(f"{counts[outcome]:6} {outcome}")
    similar = collections.defaultdict(list)
    for result in results:
        if result.outcome != OK:
            similar[result.outcome, generalize_reason(result.reason)].append(result)
    for (outcome, reason), alike in sorted(similar.items(), key=lambda item: -len(item[1])):
        lines.append(f"{outcome}, {len(alike)}: {reason}")
        step = -(-len(alike) // 4)
        for result in sorted(alike, key=lambda result: str(result.case))[::step]:
            lines.append(f"    {result.case}\n        {result.reason.strip()[-600:]}")
    return "\n".join(lines)


def assert_fine(results: Sequence[Result]) -> None:
    """Assert that nothing went wrong, with a summary of what did."""
    assert all(result.outcome not in BAD_OUTCOMES for result in results), summarize(results)


# Every codec, container, rate, start, sound and target at least once, the cheap ones of each.
QUICK_CASES = [
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


@pytest.mark.parametrize("case", QUICK_CASES, ids=str)
def test_case(tmp_path: pathlib.Path, case: Case) -> None:
    assert_fine([check_case(case, tmp_path)])


@pytest.mark.large
def test_every_pair_of_settings_and_random_cases() -> None:
    cases = list(choose_cases(int(os.environ.get("TFANON_MATRIX_CASES", "400")), seed=0))
    results = list(run_cases(cases, len(os.sched_getaffinity(0))))
    print(summarize(results))
    assert_fine(results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--only", default="", help="settings that each case must have, separated by commas"
    )
    arguments = parser.parse_args()
    settings = {word.strip() for word in arguments.only.split(",") if word.strip()}
    if settings:
        alike = [case for case in list_cases() if settings <= set(list_settings(case))]
        count = min(arguments.cases, len(alike))
        cases = random.Random(arguments.seed).sample(alike, count)
    else:
        cases = list(choose_cases(arguments.cases, arguments.seed))
    results = list(run_cases(cases, arguments.jobs))
    print(summarize(results))
    return int(any(result.outcome in BAD_OUTCOMES for result in results))


if __name__ == "__main__":
    sys.exit(main())
