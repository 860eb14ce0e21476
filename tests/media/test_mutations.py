"""Thousands of damaged files, each read and each anonymized twice: refusing and concealing damage.

    python tests/media/test_mutations.py --count=5000 --seed=0 --jobs=2

prints counts by outcome, and what went wrong. Nothing may crash, hang, have an unexpected shape,
raise anything but a one-line error, or leave a frame of the original in an output: the anonymizer
makes every frame black, so whatever is not black was never anonymized. A file depends on its number
and the seed alone: --first=N --count=1 makes one of them again, and --keep=FOLDER keeps those that
went wrong. With TFANON_REAL_CLIPS, the real clips are damaged, too.
"""

import argparse
import collections
import faulthandler
import functools
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where it is run as a command

import av  # noqa: E402
import doubles  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import recipes  # noqa: E402
import scan  # noqa: E402
from PIL import Image  # noqa: E402
from recipes import Recipe  # noqa: E402

from tfanon.inference import video  # noqa: E402
from tfanon.media import frame_reader, image_io, limits, video_reader  # noqa: E402
from tfanon.media.encoding_options import EncodingOptions  # noqa: E402

pytestmark = pytest.mark.skipif(recipes.ffmpeg_is_missing, reason="makes its files with ffmpeg")

TIMEOUT_SECONDS = 60  # after which a file counts as hanging
MAX_ADDRESS_SPACE = 8 << 30  # of a child process, in bytes
MAX_FRAME_PIXELS = 4_000_000  # so that a wrong header does not take the machine's memory
MAX_BLACK_LEVEL = 24  # mean level up to which a decoded frame is black
MAX_REAL_AVI_BYTES = 120_000  # of a real AVI file: some thirty frames
PIECE_BYTES = 64  # of an encoded frame, looked for in outputs
MIN_PIECE_VALUES = 24  # different bytes in a piece, so that it is neither words nor one colour
SEED_RECIPES = {
    "a.mp4": Recipe("h264", "mp4", "b-frames", sound="aac"),
    "b.mp4": Recipe("h264", "fragmented mp4", "b-frames"),
    "c.mkv": Recipe("hevc", "mkv", "open cut"),
    "d.avi": Recipe("mpeg4", "avi", "b-frames", sound="mp3"),
    "e.avi": Recipe("xvid packed", "avi", "b-frames"),
    "f.avi": Recipe("mjpeg", "avi"),
    "g.webm": Recipe("vp9", "webm", "b-frames", sound="opus"),
    "h.mp4": Recipe("av1", "mp4", "b-frames"),
    "i.mpg": Recipe("mpeg2", "mpg", "b-frames", sound="mp3"),
    "j.mov": Recipe("prores", "mov", sound="pcm"),
    "k.mkv": Recipe("h264", "mkv", "open cut", "variable", sound="aac"),
    "l.avi": Recipe("h264", "avi", "b-frames"),
    "m.mov": Recipe("hevc", "mov", "b-frames", "variable", "late"),
}
SEED_IMAGES = ("n.jpg", "o.png", "p.webp", "q.bmp")
EXTREME_NUMBERS = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\0\1\0\0",
)


def write_seeds(folder: pathlib.Path) -> None:
    """Write the files that are damaged: encoded recipes, images, and parts of the real clips."""
    for name, recipe in SEED_RECIPES.items():
        recipes.encode_recipe(folder / name, recipe)
    picture = recipes.paint_number(21, (96, 128))
    for name in SEED_IMAGES:
        Image.fromarray(picture).save(folder / name)
    clips = os.environ.get("TFANON_REAL_CLIPS", "")
    for path in sorted(pathlib.Path(clips).iterdir()) if clips else ():
        if path.suffix == ".avi":
            (folder / f"real-{path.name}").write_bytes(path.read_bytes()[:MAX_REAL_AVI_BYTES])
        if path.suffix == ".mp4":
            shutil.copy(path, folder / f"whole-{path.name}")
            (folder / f"whole-{path.name}").chmod(0o600)


def choose_seed(folder: pathlib.Path, rng: np.random.Generator) -> pathlib.Path:
    """One of the seeds: few long ones, some real ones, some images, many short ones."""
    paths = sorted(folder.iterdir())
    probabilities = {"whole": 0.03, "real": 0.12, "image": 0.15}
    draw = rng.random()
    for kind, probability in probabilities.items():
        if draw < probability:
            if kind == "image":
                candidates = [path for path in paths if path.name in SEED_IMAGES]
            else:
                candidates = [path for path in paths if path.name.startswith(f"{kind}-")]
            if candidates:
                return candidates[rng.integers(len(candidates))]
        draw -= probability
    short = [path for path in paths if path.name in SEED_RECIPES]
    return short[rng.integers(len(short))]


def truncate(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    return content[: rng.integers(len(content))]


def flip_bits(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    damaged = bytearray(content)
    for place in rng.integers(len(content), size=rng.integers(1, 60)):
        damaged[place] ^= 1 << rng.integers(8)
    return bytes(damaged)


def flip_header_bits(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """Flip bits in the first or in the last bytes, where containers describe their content."""
    part = min(len(content), 2000)
    first = 0 if rng.integers(2) else len(content) - part
    return (
        content[:first]
        + flip_bits(content[first : first + part], rng, other)
        + content[first + part :]
    )


def splice(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    return content[: rng.integers(len(content))] + other[rng.integers(len(other)) :]


def overwrite(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    first = rng.integers(len(content))
    return content[:first] + rng.bytes(64) + content[first + 64 :]


def insert_or_delete(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    first, length = rng.integers(len(content)), rng.integers(1, 400)
    if rng.integers(2):
        return content[:first] + content[first + length :]
    return content[:first] + rng.bytes(length) + content[first:]


def write_extreme_number(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """Write an extreme number among the first bytes."""
    first = rng.integers(min(len(content), 4000))
    return content[:first] + choose_extreme_number(rng) + content[first + 4 :]


def choose_extreme_number(rng: np.random.Generator) -> bytes:
    return EXTREME_NUMBERS[rng.integers(len(EXTREME_NUMBERS))]


def change_structure(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """Lose, repeat, move or empty a whole chunk, box, element or packet, or write an extreme number
    into it.
    """
    if content[:4] == b"RIFF":
        return change_chunks(content, rng)
    if content[:4] == b"\x1a\x45\xdf\xa3":
        parts = [(start, end) for _, start, end in recipes.find_elements(content)]
    elif content[4:8] == b"ftyp":
        parts = [(start, end) for _, start, end in recipes.find_boxes(content)]
    else:
        positions = range(len(content) - 3)
        starts = [at for at in positions if content[at : at + 3] == b"\0\0\1"]
        parts = list(zip(starts, starts[1:], strict=False))
    if not parts:
        return flip_bits(content, rng, other)
    start, end = parts[rng.integers(len(parts))]
    part, kind = content[start:end], rng.integers(6)
    if kind == 0:
        part = b""
    elif kind == 1:
        part = part * 2
    elif kind == 2:  # moved
        content, part = content[:start] + part + content[start:], b""
        start, end = parts[rng.integers(len(parts))]
    elif kind == 3:
        part = part[:8] + bytes(len(part) - 8) if len(part) > 8 else part
    else:
        at = rng.integers(max(1, len(part) - 4))
        part = part[:at] + choose_extreme_number(rng) + part[at + 4 :]
    return content[:start] + part + content[end:]


def change_chunks(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the structure of a RIFF file, whose sizes are right afterwards."""
    tree = recipes.parse_riff(content)
    lists = [chunk for chunk in tree.walk() if chunk.parts]
    for _ in range(rng.integers(1, 4)):
        parts = lists[rng.integers(len(lists))].parts
        if not parts:
            continue
        position, kind = rng.integers(len(parts)), rng.integers(7)
        chunk = parts[position]
        if kind == 0:
            del parts[position]
        elif kind == 1:
            parts.insert(position, chunk)
        elif kind == 2:
            parts[position] = parts[rng.integers(len(parts))]
        elif kind == 3:
            chunk.data = chunk.data[: rng.integers(3)]
        elif kind == 4:
            kinds = (b"00dc", b"01wb", b"JUNK", b"idx1", b"strf", rng.bytes(4))
            chunk.kind = kinds[rng.integers(6)]
        elif kind == 5 and len(chunk.data) >= 4:
            at = rng.integers(len(chunk.data) - 3)
            chunk.data = chunk.data[:at] + choose_extreme_number(rng) + chunk.data[at + 4 :]
        else:
            chunk.data = chunk.data[::-1]
    return tree.to_bytes()


MUTATIONS: Sequence[Callable] = (
    truncate,
    flip_bits,
    flip_header_bits,
    splice,
    overwrite,
    insert_or_delete,
    write_extreme_number,
    change_structure,
    change_structure,
)


def mutate(seeds: pathlib.Path, seed: int, number: int) -> tuple[str, bytes]:
    """(name, content) of the mutated file with that number."""
    rng = np.random.default_rng([seed, number])
    path, other = choose_seed(seeds, rng), choose_seed(seeds, rng)
    change = MUTATIONS[rng.integers(len(MUTATIONS))]
    return f"in{path.suffix}", change(path.read_bytes(), rng, other.read_bytes()) or b"\0"


@functools.cache
def list_pieces(seeds: pathlib.Path) -> list[tuple[bytes, bytes]]:
    """A piece from the front and one from the middle of every encoded frame of the short seeds.

    Pieces that any encoder may write are left out: words, and areas of one colour. Both pieces are
    needed, as a file that was spliced inside a packet of sound holds the rest of a frame, which is
    no frame without its front.
    """
    pieces = []
    for name in SEED_RECIPES:
        with av.open(str(seeds / name)) as container:
            packets = [bytes(packet) for packet in container.demux(video=0)]
        for data in packets:
            middle = data[len(data) // 2 :][:PIECE_BYTES]
            is_typical = len(set(middle)) > MIN_PIECE_VALUES and not middle.isascii()
            if len(data) >= 200 and is_typical:
                pieces.append((data[16:48], middle))
    return pieces


def check_line(error: ValueError) -> None:
    """Assert that an error is one line."""
    assert str(error) and "\n" not in str(error), f"not one line: {error!r}"


def check_reading(path: str) -> str:
    """Read a file as training does; returns "read" or "refused"."""
    try:
        if limits.is_video_path(path):
            pixels = frame_reader.read_frames(
                path, lambda count: np.minimum(np.arange(4) * 2, count - 1), 8, 8
            )
        else:
            pixels = image_io.read_image(path, 8, 8, [(1.0, 0.0, 0.0)] * 4)
            image = image_io.read_full_image(path)
            is_rgb = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
            assert is_rgb, f"shape {image.shape}"
    except limits.MediaError as error:
        check_line(error)
        assert path in str(error), f"the file is not named: {error}"
        return "refused"
    assert pixels.shape == (4, 8, 8, 3) and pixels.dtype == np.uint8, f"shape {pixels.shape}"
    return "read"


def check_anonymizing(
    path: str,
    out: pathlib.Path,
    on_damage: str,
    with_sound: bool,
    pieces: list[tuple[bytes, bytes]],
) -> str:
    """Anonymize a file into an empty folder; returns "made" or "refused"."""
    target = out / "out.mkv"
    anonymizer = doubles.make_blackening_anonymizer(layout="whole")
    encoding = EncodingOptions(threads=1)
    try:
        with video_reader.open_video(path, with_sound=with_sound, on_damage=on_damage) as opened:
            video.anonymize_video(opened, target, anonymizer, encoding)
    except ValueError as error:
        check_line(error)
        assert not list(out.iterdir()), f"left {recipes.list_folder(out)} behind: {error}"
        return "refused"
    assert recipes.list_folder(out) == [target.name], f"left {recipes.list_folder(out)} behind"
    content = target.read_bytes()
    leaked = [middle for front, middle in pieces if front in content and middle in content]
    assert not leaked, "holds bytes of an original"
    frames = scan.decode_frames(target)
    assert frames, "an output without a frame"
    for number, frame in enumerate(frames):
        assert frame.mean() < MAX_BLACK_LEVEL, f"frame {number} is not black"
    target.unlink()
    return "made"


def check_file(path: str, number: int, out: pathlib.Path, pieces: list[tuple[bytes, bytes]]) -> str:
    """The outcome of one file: one word per way of using it, or WRONG and why."""
    with_sound = bool(number & 1)
    checks: dict[str, Callable[[], str]] = {"reading": lambda: check_reading(path)}
    if limits.is_video_path(path):
        for on_damage in ("refuse", "conceal"):
            checks[on_damage] = functools.partial(
                check_anonymizing, path, out, on_damage, with_sound, pieces
            )
    words = []
    for name, check in checks.items():
        try:
            words.append(f"{name}:{check()}")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            location = f"{pathlib.Path(last.filename).name}:{last.lineno}"
            line = str(error).replace("\n", " | ")[:300]
            words.append(f"WRONG {name}: {type(error).__name__}: {line} ({location})")
            for leftover in out.iterdir():
                leftover.unlink()
    return "; ".join(words)


def work(seeds: pathlib.Path, seed: int, first: int, step: int, end: int) -> None:
    """Check every step-th file from the first; prints a line before and a line after each."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    av.logging.set_level(None)
    limits.set_limits(**{**limits.get_limits(), "pixels": MAX_FRAME_PIXELS})
    pieces = list_pieces(seeds)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        out.mkdir()
        for number in range(first, end, step):
            name, content = mutate(seeds, seed, number)
            path = pathlib.Path(folder, name)
            path.write_bytes(content)
            print(number, "begins", flush=True)
            faulthandler.dump_traceback_later(TIMEOUT_SECONDS, exit=True)
            outcome = check_file(str(path), number, out, pieces)
            faulthandler.cancel_dump_traceback_later()
            print(number, outcome, flush=True)
            path.unlink()


def run_child(
    seeds: pathlib.Path, seed: int, first: int, step: int, end: int
) -> Iterator[tuple[int, str]]:
    """(number, outcome) of every step-th file; a child that dies costs one file."""
    while first < end:
        arguments = [seeds, seed, first, step, end]
        child = subprocess.Popen(
            [sys.executable, __file__, "--child", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        errors: list[str] = []
        drain = threading.Thread(target=collect_last_lines, args=(child.stderr, errors))
        drain.start()
        begun = None
        for line in child.stdout:
            number, _, outcome = line.strip().partition(" ")
            if outcome == "begins":
                begun = int(number)
                continue
            yield int(number), outcome
            begun, first = None, int(number) + step
        status = child.wait()
        drain.join()
        if begun is None and first < end:
            raise RuntimeError(f"The child could not start: {''.join(errors)}")
        if begun is not None:
            has_timed_out = any("Timeout" in line for line in errors)
            kind = "hang" if has_timed_out else f"crash, status {status}"
            location = next((line.strip() for line in errors if "tfanon" in line), "")
            yield begun, f"WRONG {kind} {location}"
            first = begun + step


def collect_last_lines(stream: Iterable[str], lines: list[str]) -> None:
    lines.extend(list(stream)[-40:])


def run(seeds: pathlib.Path, seed: int, first: int, count: int, jobs: int) -> dict[int, str]:
    """{number: outcome} of ``count`` files, by several children at once."""
    outcomes: dict[int, str] = {}

    def run_job(job: int) -> None:
        outcomes.update(run_child(seeds, seed, first + job, jobs, first + count))

    threads = [threading.Thread(target=run_job, args=(job,)) for job in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def summarize(outcomes: dict[int, str]) -> str:
    """Counts by outcome, then every file that went wrong."""
    counts: collections.Counter[str] = collections.Counter()
    for outcome in outcomes.values():
        counts.update(outcome.split("; "))
    wrong = [number for number in sorted(outcomes) if "WRONG" in outcomes[number]]
    lines = [f"{len(outcomes)} files, {len(wrong)} wrong"]
    lines += [f"{counts[part]:6} {part}" for part in sorted(counts) if "WRONG" not in part]
    lines += [f"{number}: {outcomes[number]}" for number in wrong]
    return "\n".join(lines)


def check_mutations(folder: pathlib.Path, seed: int, count: int, jobs: int) -> None:
    """Assert that nothing goes wrong with ``count`` files."""
    write_seeds(folder)
    outcomes = run(folder, seed, 0, count, jobs)
    print(summarize(outcomes))
    is_fine = not any("WRONG" in outcome for outcome in outcomes.values())
    assert len(outcomes) == count and is_fine, summarize(outcomes)


def test_some_mutated_files(tmp_path: pathlib.Path) -> None:
    check_mutations(tmp_path, seed=1, count=20, jobs=1)


@pytest.mark.large
def test_5000_mutated_files(tmp_path: pathlib.Path) -> None:
    count = int(os.environ.get("TFANON_MUTATIONS_COUNT", "5000"))
    seed = int(os.environ.get("TFANON_MUTATIONS_SEED", "0"))
    check_mutations(tmp_path, seed, count, len(os.sched_getaffinity(0)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", default="", help="folder for the files that went wrong")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seeds = pathlib.Path(folder)
        write_seeds(seeds)
        outcomes = run(seeds, arguments.seed, arguments.first, arguments.count, arguments.jobs)
        wrong = [number for number, outcome in outcomes.items() if "WRONG" in outcome]
        if arguments.keep:
            kept = pathlib.Path(arguments.keep)
            kept.mkdir(parents=True, exist_ok=True)
            for number in wrong:
                name, content = mutate(seeds, arguments.seed, number)
                (kept / f"{number}{pathlib.Path(name).suffix}").write_bytes(content)
    print(summarize(outcomes))
    return int(bool(wrong))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        work(pathlib.Path(sys.argv[2]), *map(int, sys.argv[3:]))
        sys.exit(0)
    sys.exit(main())
