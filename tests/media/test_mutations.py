"""Thousands of damaged files, each read and each anonymized twice: refusing and concealing damage.

    python tests/media/test_mutations.py --count=5000 --seed=0 --jobs=2

prints counts by outcome, and what went wrong. Nothing may crash, hang, have another shape, end in
another exception than one line, or leave a clear frame behind: the anonymizer makes every frame
black, so whatever is not black in an output was never anonymized. A file depends on its number and
the seed alone: --first=N --count=1 makes one of them again, and --keep=FOLDER keeps those that went
wrong. With TFANON_REAL_CLIPS, the real clips are damaged too.
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
from collections.abc import Callable, Iterator, Sequence

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
from tfanon.media import frame_reader, image_io, limits, video_reader, video_writer  # noqa: E402

pytestmark = pytest.mark.skipif(recipes.needs_ffmpeg, reason="makes its files with ffmpeg")

SECONDS = 60  # after which a file counts as hanging
MEMORY = 8 << 30  # bytes of address space of a child
PIXELS = 4_000_000  # of a frame: a header that lies must not take the machine's memory
BLACK = 24  # mean level up to which a decoded frame is black
HEAD = 120_000  # bytes kept of a real AVI file: some thirty frames
SEEDS = {
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
IMAGES = ("n.jpg", "o.png", "p.webp", "q.bmp")
EXTREMES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\0\1\0\0",
)


def write_seeds(folder: pathlib.Path) -> None:
    """The whole files that are damaged, and what of the real clips is."""
    for name, recipe in SEEDS.items():
        recipes.make(folder / name, recipe)
    picture = recipes.paint(21, (96, 128))
    for name in IMAGES:
        Image.fromarray(picture).save(folder / name)
    clips = os.environ.get("TFANON_REAL_CLIPS", "")
    for path in sorted(pathlib.Path(clips).iterdir()) if clips else ():
        if path.suffix == ".avi":
            (folder / f"real-{path.name}").write_bytes(path.read_bytes()[:HEAD])
        if path.suffix == ".mp4":
            shutil.copy(path, folder / f"whole-{path.name}")
            (folder / f"whole-{path.name}").chmod(0o600)


def choose_seed(folder: pathlib.Path, rng: np.random.Generator) -> pathlib.Path:
    """One of the seeds: few long ones, some real ones, some images, many short ones."""
    paths = sorted(folder.iterdir())
    kinds = {"whole": 0.03, "real": 0.12, "image": 0.15}
    draw = rng.random()
    for kind, share in kinds.items():
        if draw < share:
            found = [path for path in paths if path.name in IMAGES if kind == "image"] or [
                path for path in paths if path.name.startswith(f"{kind}-")
            ]
            if found:
                return found[rng.integers(len(found))]
        draw -= share
    short = [path for path in paths if path.name in SEEDS]
    return short[rng.integers(len(short))]


def cut(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    return content[: rng.integers(len(content))]


def flip(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    damaged = bytearray(content)
    for place in rng.integers(len(content), size=rng.integers(1, 60)):
        damaged[place] ^= 1 << rng.integers(8)
    return bytes(damaged)


def flip_headers(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """In the first or in the last bytes, where containers say what is in them."""
    part = min(len(content), 2000)
    first = 0 if rng.integers(2) else len(content) - part
    return (
        content[:first] + flip(content[first : first + part], rng, other) + content[first + part :]
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


def lie(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """An extreme number among the first bytes."""
    first = rng.integers(min(len(content), 4000))
    return content[:first] + EXTREMES[rng.integers(len(EXTREMES))] + content[first + 4 :]


def change_tree(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """Whole chunks, boxes, elements or packets lost, doubled, moved, emptied or filled with an
    extreme number.
    """
    if content[:4] == b"RIFF":
        return change_chunks(content, rng)
    if content[:4] == b"\x1a\x45\xdf\xa3":
        parts = [(start, end) for _, start, end in recipes.find_elements(content)]
    elif content[4:8] == b"ftyp":
        parts = [(start, end) for _, start, end in recipes.find_boxes(content)]
    else:
        starts = [
            place for place in range(len(content) - 3) if content[place : place + 3] == b"\0\0\1"
        ]
        parts = list(zip(starts, starts[1:]))
    if not parts:
        return flip(content, rng, other)
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
        place = rng.integers(max(1, len(part) - 4))
        part = part[:place] + EXTREMES[rng.integers(len(EXTREMES))] + part[place + 4 :]
    return content[:start] + part + content[end:]


def change_chunks(content: bytes, rng: np.random.Generator) -> bytes:
    """The same for a RIFF file, whose sizes are right afterwards."""
    tree = recipes.parse_riff(content)
    lists = [chunk for chunk in tree.walk() if chunk.parts]
    for _ in range(rng.integers(1, 4)):
        parts = lists[rng.integers(len(lists))].parts
        if not parts:
            continue
        place, kind = rng.integers(len(parts)), rng.integers(7)
        chunk = parts[place]
        if kind == 0:
            del parts[place]
        elif kind == 1:
            parts.insert(place, chunk)
        elif kind == 2:
            parts[place] = parts[rng.integers(len(parts))]
        elif kind == 3:
            chunk.data = chunk.data[: rng.integers(3)]
        elif kind == 4:
            chunk.kind = (b"00dc", b"01wb", b"JUNK", b"idx1", b"strf", rng.bytes(4))[
                rng.integers(6)
            ]
        elif kind == 5 and len(chunk.data) >= 4:
            at = rng.integers(len(chunk.data) - 3)
            chunk.data = (
                chunk.data[:at] + EXTREMES[rng.integers(len(EXTREMES))] + chunk.data[at + 4 :]
            )
        else:
            chunk.data = chunk.data[::-1]
    return tree.write()


MUTATIONS: Sequence[Callable] = (
    cut,
    flip,
    flip_headers,
    splice,
    overwrite,
    insert_or_delete,
    lie,
    change_tree,
    change_tree,
)


def mutate(seeds: pathlib.Path, seed: int, number: int) -> tuple[str, bytes]:
    """(name, content) of the mutated file with that number."""
    rng = np.random.default_rng([seed, number])
    path, other = choose_seed(seeds, rng), choose_seed(seeds, rng)
    change = MUTATIONS[rng.integers(len(MUTATIONS))]
    return f"in{path.suffix}", change(path.read_bytes(), rng, other.read_bytes()) or b"\0"


@functools.cache
def list_pieces(seeds: pathlib.Path) -> list[tuple[bytes, bytes]]:
    """A piece from the front and one from the middle of every encoded frame of the seeds that are short, but for what any
    encoder may write: words, and areas of one colour.

    A file that was spliced inside a packet of sound has the rest of a frame in it, which is no frame without its front.
    """
    found = []
    for name in SEEDS:
        with av.open(str(seeds / name)) as container:
            packets = [bytes(packet) for packet in container.demux(video=0)]
        for data in packets:
            middle = data[len(data) // 2 :][:64]
            if len(data) >= 200 and len(set(middle)) > 24 and not middle.isascii():
                found.append((data[16:48], middle))
    return found


def check_reading(path: str) -> str:
    """ "read" or "refused".  Raises AssertionError, or whatever is no line."""
    try:
        if limits.is_video_path(path):
            pixels = frame_reader.read_frames(
                path, lambda count: np.minimum(np.arange(4) * 2, count - 1), 8, 8
            )
        else:
            pixels = image_io.read_image(path, 8, 8, [(1.0, 0.0, 0.0)] * 4)
            still = image_io.read_full_image(path)
            assert still.ndim == 3 and still.shape[2] == 3 and still.dtype == np.uint8, (
                f"shape {still.shape}"
            )
    except limits.MediaError as error:
        assert path in str(error) and "\n" not in str(error), (
            f"no line that names the file: {error}"
        )
        return "refused"
    assert pixels.shape == (4, 8, 8, 3) and pixels.dtype == np.uint8, f"shape {pixels.shape}"
    return "read"


def check_anonymizing(
    path: str, out: pathlib.Path, on_damage: str, keep: bool, pieces: list[tuple[bytes, bytes]]
) -> str:
    """ "made" or "refused".  Raises AssertionError, or whatever is no line."""
    target = out / "out.mkv"
    wanted = {} if on_damage == "refuse" else {"on_damage": on_damage}
    try:
        with video_reader.open_video(path, with_sound=keep, **wanted) as opened:
            video.anonymize_video(
                opened, target, doubles.blackening(layout="whole"), video_writer.EncodingOptions(threads=1)
            )
    except ValueError as error:
        assert str(error) and "\n" not in str(error), f"no line: {error!r}"
        assert not list(out.iterdir()), f"left {recipes.list_folder(out)} behind: {error}"
        return "refused"
    assert recipes.list_folder(out) == [target.name], f"left {recipes.list_folder(out)} behind"
    content = target.read_bytes()
    held = [middle for front, middle in pieces if front in content and middle in content]
    assert not held, "holds bytes of an original"
    frames = scan.decoded(target)
    assert frames, "an output without a frame"
    for number, frame in enumerate(frames):
        assert frame.mean() < BLACK, f"frame {number} is not black"
    target.unlink()
    return "made"


def check_file(path: str, number: int, out: pathlib.Path, pieces: list[tuple[bytes, bytes]]) -> str:
    """The outcome of one file: one word per way of using it, or WRONG and why."""
    words = []
    for name, check in (
        ("reading", lambda: check_reading(path)),
        ("refuse", lambda: check_anonymizing(path, out, "refuse", bool(number & 1), pieces)),
        ("conceal", lambda: check_anonymizing(path, out, "conceal", bool(number & 1), pieces)),
    ):
        if (
            name != "reading"
            and not limits.is_video_path(path)
            or name == "conceal"
            and not recipes.can_conceal()
        ):
            continue
        try:
            words.append(f"{name}:{check()}")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{pathlib.Path(last.filename).name}:{last.lineno}"
            line = str(error).replace("\n", " | ")[:300]
            words.append(f"WRONG {name}: {type(error).__name__}: {line} ({where})")
            for left in out.iterdir():
                left.unlink()
    return "; ".join(words)


def work(seeds: pathlib.Path, seed: int, first: int, step: int, end: int) -> None:
    """Check every step-th file from the first; a line before and a line after each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    av.logging.set_level(None)
    limits.set_limits(**{**limits.get_limits(), "pixels": PIXELS})
    pieces = list_pieces(seeds)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        out.mkdir()
        for number in range(first, end, step):
            name, content = mutate(seeds, seed, number)
            path = pathlib.Path(folder, name)
            path.write_bytes(content)
            print(number, "begins", flush=True)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            outcome = check_file(str(path), number, out, pieces)
            faulthandler.cancel_dump_traceback_later()
            print(number, outcome, flush=True)
            path.unlink()


def run_child(
    seeds: pathlib.Path, seed: int, first: int, step: int, end: int
) -> Iterator[tuple[int, str]]:
    """(number, outcome) of every step-th file; a child that dies costs one file."""
    while first < end:
        command = [sys.executable, __file__, "--child", seeds, seed, first, step, end]
        child = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        errors = []
        drain = threading.Thread(target=lambda: errors.extend(child.stderr.readlines()[-40:]))
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
            kind = (
                "hang" if any("Timeout" in line for line in errors) else f"crash, status {status}"
            )
            where = next((line.strip() for line in errors if "tfanon" in line), "")
            yield begun, f"WRONG {kind} {where}"
            first = begun + step


def run(seeds: pathlib.Path, seed: int, first: int, count: int, jobs: int) -> dict[int, str]:
    """{number: outcome} of `count` files, by several children at once."""
    found, threads = {}, []
    for job in range(jobs):
        threads.append(
            threading.Thread(
                target=lambda job=job: found.update(
                    run_child(seeds, seed, first + job, jobs, first + count)
                )
            )
        )
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def summarize(found: dict[int, str]) -> str:
    """Counts by outcome, then every file that went wrong."""
    counts = collections.Counter(part for outcome in found.values() for part in outcome.split("; "))
    wrong = {number: outcome for number, outcome in sorted(found.items()) if "WRONG" in outcome}
    lines = [f"{len(found)} files, {len(wrong)} wrong"]
    lines += [f"{counts[part]:6} {part}" for part in sorted(counts) if "WRONG" not in part]
    return "\n".join(lines + [f"{number}: {outcome}" for number, outcome in wrong.items()])


def check(folder: pathlib.Path, seed: int, count: int, jobs: int) -> None:
    """Assert that nothing goes wrong with `count` files."""
    write_seeds(folder)
    found = run(folder, seed, 0, count, jobs)
    print(summarize(found))
    assert len(found) == count and not any("WRONG" in outcome for outcome in found.values()), (
        summarize(found)
    )


def test_some_mutated_files(tmp_path: pathlib.Path) -> None:
    check(tmp_path, seed=1, count=20, jobs=1)


@pytest.mark.large
def test_5000_mutated_files(tmp_path: pathlib.Path) -> None:
    count, seed = (
        int(os.environ.get(f"TFANON_MUTATIONS_{name}", default))
        for name, default in (("COUNT", 5000), ("SEED", 0))
    )
    check(tmp_path, seed, count, len(os.sched_getaffinity(0)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", default="", help="folder for the files that went wrong")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seeds = pathlib.Path(folder)
        write_seeds(seeds)
        found = run(seeds, given.seed, given.first, given.count, given.jobs)
        if given.keep:
            pathlib.Path(given.keep).mkdir(parents=True, exist_ok=True)
        for number, outcome in found.items():
            if given.keep and "WRONG" in outcome:
                name, content = mutate(seeds, given.seed, number)
                pathlib.Path(given.keep, f"{number}{pathlib.Path(name).suffix}").write_bytes(
                    content
                )
    print(summarize(found))
    return int(any("WRONG" in outcome for outcome in found.values()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        work(pathlib.Path(sys.argv[2]), *map(int, sys.argv[3:]))
        sys.exit(0)
    sys.exit(main())
