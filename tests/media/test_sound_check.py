"""Pictures that are said to be sound are not copied as sound."""

import fractions
import pathlib

import av
import clips
import numpy as np
import pytest
from clips import Clip

from tfanon.media import video_reader

SIZE = (48, 64)


def write(path: pathlib.Path, codec: str, sound: str) -> str:
    """A video of 20 frames with a tone."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(codec, rate=25)
        pictures.height, pictures.width, pictures.pix_fmt = *SIZE, "yuv420p"
        pictures.codec_context.max_b_frames = 0
        tone = container.add_stream(sound, rate=48000)
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(clips.picture(number, SIZE), format="rgb24")
            container.mux(pictures.encode(frame))
            wave = np.sin(np.arange(1920) * np.pi * 440 / 24000 + number) * 9000
            samples = wave.astype(np.int16)[None]
            layout = "fltp" if sound == "aac" else "s16"
            values = (samples / 32768).astype(np.float32) if sound == "aac" else samples
            heard = av.AudioFrame.from_ndarray(values, format=layout, layout="mono")
            heard.sample_rate = 48000
            container.mux(tone.encode(heard))
        container.mux(pictures.encode())
        container.mux(tone.encode())
    return str(path)


def read(path: pathlib.Path, on_damage: str) -> tuple[list[bytes], int]:
    """(packets of sound that are handed on, number of those that are not)."""
    with video_reader.open_video(str(path), with_sound=True, on_damage=on_damage) as opened:
        packets = [bytes(item) for item in opened if not isinstance(item, video_reader.TimedFrame)]
    return packets, opened.dropped_sound_packets


@pytest.mark.parametrize(
    "codec, sound", [("mpeg4", "pcm_s16le"), ("libx264", "pcm_s16le"), ("mpeg4", "aac")]
)
def test_a_picture_under_the_number_of_the_sound_is_left_out(
    tmp_path: pathlib.Path, codec: str, sound: str
) -> None:
    path = pathlib.Path(write(tmp_path / "a.avi", codec, sound))
    whole, left_out = read(path, "refuse")
    assert len(whole) > 15 and left_out == 0
    with av.open(str(path)) as container:
        pictures = [packet for packet in container.demux(video=0) if packet.size]
    wrong = bytes(pictures[7])
    content = bytearray(path.read_bytes())
    place = content.index(wrong) - 8  # its chunk: name, length, content
    assert content[place : place + 4] == b"00dc"
    content[place : place + 4] = b"01wb"
    path.write_bytes(content)
    packets, left_out = read(path, "conceal")
    assert left_out >= 1 and wrong not in packets


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_pictures_in_packets_of_a_sound_that_takes_any_bytes_are_left_out(
    tmp_path: pathlib.Path, codec: str
) -> None:
    """Decoders of Opus return sound for most of what they are given."""
    given = clips.write(tmp_path / "in.mkv", Clip(".mkv", codec, sound=False, frames=12, bframes=0))
    path = tmp_path / "a.mkv"
    with av.open(given) as container, av.open(str(path), "w") as output:
        pictures = output.add_stream_from_template(container.streams.video[0])
        tone = output.add_stream("libopus", rate=48000)
        clear = []
        for packet in container.demux(video=0):
            if packet.size:
                clear.append(bytes(packet))
                packet.stream = pictures
                output.mux(packet)
        clips.add_tone(output, tone, 0.2)
        for number, data in enumerate(clear):
            wrong = av.Packet(data)
            wrong.stream, wrong.time_base = tone, fractions.Fraction(1, 1000)
            wrong.pts = wrong.dts = 1000 + 20 * number
            output.mux(wrong)
    packets, left_out = read(path, "conceal")
    with av.open(str(path)) as container:
        planted = [bytes(packet) for packet in container.demux(audio=0) if bytes(packet) in clear]
    assert len(planted) > 8 and left_out == len(planted)
    assert not set(packets) & set(clear) and len(packets) > 8
