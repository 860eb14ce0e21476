"""HDR to SDR: published values, what must hold for every picture, and other converters."""

import os
import shutil
import struct
import subprocess
import types

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from tfanon.media import tone_mapping
from tfanon.media.limits import MediaError
from tfanon.media.tone_mapping import HLG, PQ

HEIGHT, WIDTH = 96, 128
BT709, BT2020 = 1, 9
FFMPEG = shutil.which("ffmpeg")


def draw_sdr_picture() -> np.ndarray:
    """[HEIGHT, WIDTH, 3] BT.709 R'G'B': a grey ramp above patches of colour that grow brighter."""
    patches = np.random.default_rng(1).integers(0, 256, (6, 8, 3)).repeat(16, 0).repeat(16, 1)
    picture = patches * np.linspace(0.5, 1, WIDTH)[:, None]
    picture[:16] = np.linspace(0, 255, WIDTH)[:, None]
    return picture.round().astype(np.uint8)


def convert_to_hdr(sdr: np.ndarray, transfer: int) -> np.ndarray:
    """uint16 BT.2020 R'G'B' of an SDR picture whose white becomes 203 cd/m2."""
    light = 203 * (sdr / 255) ** 2.4  # BT.1886
    light = light @ np.linalg.inv(derive_bt2020_to_bt709()).T
    light = np.maximum(light, 0)
    if transfer == PQ:
        signal = tone_mapping.pq_inverse_eotf(light)
    else:
        signal = encode_hlg(light / 1000)
    return np.round(signal * 65535).astype(np.uint16)


def encode_hlg(display: np.ndarray) -> np.ndarray:
    """HLG signal of display light, 1 is 1000 cd/m2: the inverse OOTF and the OETF of BT.2100-2."""
    luminance = display @ (0.2627, 0.6780, 0.0593)
    luminance = np.maximum(luminance, 1e-9)
    scene = display * luminance[..., None] ** (1 / 1.2 - 1)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)


def derive_bt2020_to_bt709() -> np.ndarray:
    return np.linalg.inv(tone_mapping.rgb_to_xyz(BT709)) @ tone_mapping.rgb_to_xyz(BT2020)


def make_frame(pixels: np.ndarray, transfer: int, full_range: bool = False) -> av.VideoFrame:
    """A 10-bit Y'CbCr frame of uint16 R'G'B', with the tags that a decoder gives it."""
    rgb = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
    reach = ColorRange.JPEG if full_range else ColorRange.MPEG
    frame = VideoReformatter().reformat(
        rgb, format="yuv444p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=reach
    )
    frame.colorspace, frame.color_range = 9, reach
    frame.color_primaries, frame.color_trc = 9, transfer
    return frame


def make_flat_frame(
    pixel_format: str, luma: int, colorspace: int = 9, color_range: int = 1
) -> av.VideoFrame:
    """A grey 10-bit frame of one luma, tagged as PQ in BT.2020."""
    frame = av.VideoFrame(32, 32, pixel_format)
    for number, plane in enumerate(frame.planes):
        value = luma if number == 0 else 512
        plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
    frame.colorspace, frame.color_range = colorspace, color_range
    frame.color_primaries, frame.color_trc = 9, PQ
    return frame


def map_grey(signal: float, transfer: int) -> int:
    grey = np.full((1, 1, 3), round(signal * 65535), np.uint16)
    mapped = tone_mapping.tone_map(grey, transfer)
    assert np.ptp(mapped) == 0
    return int(mapped[0, 0, 0])


@pytest.mark.parametrize(
    "light, signal",
    [
        (0, 0),
        (0.1, 0.0623),
        (100, 0.5081),
        (203, 0.5807),
        (1000, 0.7518),
        (4000, 0.9026),
        (10000, 1),
    ],
)
def test_pq_matches_published_values(light, signal):
    # SMPTE ST 2084; the signals of 100, 203, 1000 and 4000 cd/m2 are also given by BT.2408 and
    # BT.2390.
    assert tone_mapping.pq_inverse_eotf(light) == pytest.approx(signal, abs=5e-5)
    back = tone_mapping.pq_eotf(tone_mapping.pq_inverse_eotf(light))
    assert back == pytest.approx(light, rel=1e-6, abs=1e-5)


def test_hlg_matches_published_values():
    # BT.2100: 0.5 is where the curves meet, 1/12. BT.2408: 75 % is the reference white, 203 cd/m2
    # on a display of 1000. By hand: (exp((0.75 - 0.5599) / 0.1788) + 0.2847) / 12 = 0.26496, and
    # 0.26496 ** 1.2 = 0.2032.
    scene = tone_mapping.hlg_inverse_oetf(np.array([0, 0.5, 0.75, 1]))
    assert scene == pytest.approx([0, 1 / 12, 0.26496, 1], abs=1e-5)
    assert 1000 * scene[2] ** 1.2 == pytest.approx(203, abs=1)


def test_only_highlights_are_compressed():
    # BT.2390 from 1000 to 203 cd/m2: maxLum = 0.5807 / 0.7518 = 0.7724, so the knee lies at
    # 1.5 * 0.7724 - 0.5 = 0.6586, which is a signal of 0.4951 or 88 cd/m2. For 203 cd/m2,
    # T = (0.7724 - 0.6586) / (1 - 0.6586) = 1/3, and
    # P = 0.7407 * 0.6586 + 0.1481 * 0.3414 + 0.2593 * 0.7724 = 0.7387: 0.5553 or 159 cd/m2.
    compressed = tone_mapping.compress_highlights(np.array([0, 10, 87, 203, 1000, 5000]))
    assert compressed == pytest.approx([0, 10, 87, 159, 203, 203], abs=0.3)


@pytest.mark.parametrize(
    "signal, transfer, expected",
    [
        (0, PQ, 0),
        (0.5807, PQ, 230),
        (0.7518, PQ, 255),
        (1, PQ, 255),
        (0, HLG, 0),
        (0.75, HLG, 230),
        (1, HLG, 255),
        # Below the knee nothing but the encoding: 50 cd/m2 is 255 * (50 / 203) ** (1 / 2.4) = 142.
        (0.4403, PQ, 142),
    ],
)
def test_reference_levels_of_the_whole_conversion(signal, transfer, expected):
    # Reference white: 159 cd/m2 of 203, as above: 255 * (159 / 203) ** (1 / 2.4) = 230.
    assert abs(map_grey(signal, transfer) - expected) <= 1


def test_pq_and_hlg_of_one_picture_give_the_same_result():
    picture = draw_sdr_picture()
    from_pq = tone_mapping.tone_map(convert_to_hdr(picture, PQ), PQ).astype(int)
    from_hlg = tone_mapping.tone_map(convert_to_hdr(picture, HLG), HLG).astype(int)
    assert np.abs(from_pq - from_hlg).max() <= 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_grey_stays_grey_and_brighter_stays_brighter(transfer):
    greys = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, 2)
    mapped = tone_mapping.tone_map(greys, transfer)
    assert mapped.dtype == np.uint8
    assert np.ptp(mapped, axis=2).max() == 0
    ramp = mapped[..., 0].ravel().astype(int)
    assert ramp[0] == 0 and ramp[-1] == 255
    assert np.diff(ramp).min() >= 0 and len(np.unique(ramp)) == 256


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_colour_never_becomes_darker(transfer):
    # Light along a ray from black, for many hues; the signal is taken for the ray's scale, which
    # rises with it.
    hues = np.random.default_rng(2).random((64, 1, 3)) ** 2
    decode = tone_mapping.pq_eotf if transfer == PQ else tone_mapping.hlg_inverse_oetf
    most = 10000 if transfer == PQ else 1
    light = hues * decode(np.linspace(0, 1, 200))[:, None]
    if transfer == PQ:
        signal = tone_mapping.pq_inverse_eotf(light)
    else:
        signal = np.interp(light, decode(np.linspace(0, most, 5000)), np.linspace(0, 1, 5000))
    mapped = tone_mapping.tone_map(np.round(signal * 65535).astype(np.uint16), transfer).astype(int)
    luma = mapped @ (0.2126, 0.7152, 0.0722)
    assert np.diff(luma, axis=1).min() >= -1  # each channel is rounded


def test_matrix_matches_published_values():
    # ITU-R BT.2407, annex 2: linear BT.2020 to linear BT.709.
    published = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    assert derive_bt2020_to_bt709() == pytest.approx(np.array(published), abs=1e-4)
    # The luminances of BT.2100 and BT.709.
    assert tone_mapping.rgb_to_xyz(BT2020)[1] == pytest.approx([0.2627, 0.6780, 0.0593], abs=1e-4)
    assert tone_mapping.rgb_to_xyz(BT709)[1] == pytest.approx([0.2126, 0.7152, 0.0722], abs=1e-4)


def test_colours_outside_bt709_are_clipped_and_keep_their_hue():
    # The first row of the matrix above, with green alone: red becomes negative, which is black.
    green = round(65535 * 0.5)
    mapped = tone_mapping.tone_map(np.array([[[0, green, 0]]], np.uint16), PQ)[0, 0]
    assert mapped[0] == 0 and mapped[2] == 0 and mapped[1] > 150


def test_each_primaries_tag_has_its_own_conversion():
    red = np.array([[[35000, 15000, 15000]]], np.uint16)
    saturations = []
    for primaries in (1, 12, 9):
        mapped = tone_mapping.tone_map(red, PQ, primaries)[0, 0].astype(int)
        saturations.append(mapped[0] - mapped[1])
    assert saturations[0] < saturations[1] < saturations[2]
    unspecified, bt2020 = tone_mapping.tone_map(red, PQ, 2), tone_mapping.tone_map(red, PQ, 9)
    assert np.array_equal(unspecified, bt2020)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_every_signal_is_converted_without_warnings(transfer):
    corners = np.array([0, 1, 255, 32768, 65534, 65535], np.uint16)
    pixels = np.stack(np.meshgrid(corners, corners, corners), axis=-1).reshape(-1, 1, 3)
    with np.errstate(all="raise", under="ignore"):
        mapped = tone_mapping.tone_map(pixels, transfer)
    assert mapped.shape == pixels.shape


def test_block_size_and_strides_do_not_change_the_result(monkeypatch):
    pixels = np.random.default_rng(3).integers(0, 65536, (40, 60, 3)).astype(np.uint16)
    whole = tone_mapping.tone_map(pixels, HLG)
    monkeypatch.setattr(tone_mapping, "BLOCK_PIXELS", 77)
    assert np.array_equal(tone_mapping.tone_map(pixels, HLG), whole)
    assert np.array_equal(tone_mapping.tone_map(pixels[:, :50], HLG), whole[:, :50])


def test_sdr_transfer_is_refused():
    with pytest.raises(ValueError, match="16 .PQ. or 18 .HLG."):
        tone_mapping.tone_map(np.zeros((1, 1, 3), np.uint16), 1)


def test_transfer_decides_what_is_hdr():
    for transfer in range(19):
        frame = types.SimpleNamespace(color_trc=transfer)
        assert tone_mapping.is_hdr(frame) == (transfer in (16, 18))
        assert tone_mapping.is_hdr((9, 1, 9, transfer)) == tone_mapping.is_hdr(frame)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_frame_gives_back_its_sdr_original(transfer, full_range):
    picture = draw_sdr_picture()
    frame = make_frame(convert_to_hdr(picture, transfer), transfer, full_range)
    pixels = tone_mapping.read_sdr_pixels(frame, HEIGHT, WIDTH, VideoReformatter())
    difference = np.abs(pixels.astype(int) - picture)
    assert pixels.shape == picture.shape and pixels.dtype == np.uint8
    assert difference.mean() < 2.5  # of 255; PQ or HLG codes taken for SDR: about 30
    below_knee = difference[picture.max(axis=2) < 160]
    assert np.percentile(below_knee, 99) <= 6  # 10 bits are few for a dark channel by a bright one
    assert (frame.colorspace, frame.color_trc) == (9, transfer)  # as before


def test_pq_codes_differ_from_sdr_codes():
    picture = draw_sdr_picture()
    codes = convert_to_hdr(picture, PQ) >> 8
    assert np.abs(codes.astype(int) - picture).mean() > 25


@pytest.mark.parametrize(
    "pixel_format, luma, color_range",
    [
        ("yuv420p10le", 573, 1),
        ("yuv422p10le", 573, 1),
        ("yuv444p10le", 573, 1),
        ("yuv420p10le", 573, 0),
        ("yuv420p10le", 594, 2),
    ],
)
def test_reference_white_in_every_pixel_format(pixel_format, luma, color_range):
    # 203 cd/m2 is 0.5807: 64 + 876 * 0.5807 = 573 in limited range, 1023 * 0.5807 = 594 in full.
    frame = make_flat_frame(pixel_format, luma, color_range=color_range)
    for side in (32, 20):
        pixels = tone_mapping.read_sdr_pixels(frame, side, side, VideoReformatter())
        assert pixels.shape == (side, side, 3) and np.abs(pixels.astype(int) - 230).max() <= 1


def test_hdr_without_a_matrix_tag_counts_as_bt2020():
    pixels = convert_to_hdr(draw_sdr_picture(), PQ)
    tagged, untagged = make_frame(pixels, PQ), make_frame(pixels, PQ)
    untagged.colorspace = 2
    expected = tone_mapping.read_sdr_pixels(tagged, HEIGHT, WIDTH, VideoReformatter())
    assert np.array_equal(
        tone_mapping.read_sdr_pixels(untagged, HEIGHT, WIDTH, VideoReformatter()), expected
    )


@pytest.mark.parametrize("matrix", [3, 10, 12, 13])
def test_odd_matrix_tags_are_read_as_players_do(matrix):
    frame = make_flat_frame("yuv420p10le", 573, colorspace=matrix)
    tone_mapping.check_colour("a.mp4", frame)
    pixels = tone_mapping.read_sdr_pixels(frame, 16, 16, VideoReformatter())
    assert np.abs(pixels.astype(int) - 230).max() <= 1
    frame.color_trc = 1
    assert tone_mapping.read_sdr_pixels(frame, 16, 16, VideoReformatter()).shape == (16, 16, 3)


@pytest.mark.parametrize("matrix, reason", [(8, "matrix 8"), (14, "matrix 14"), (15, "profile 5")])
def test_unsupported_matrices_are_refused(matrix, reason):
    frame = make_flat_frame("yuv420p10le", 573, colorspace=matrix)
    with pytest.raises(MediaError, match=f"^a.mp4: .*{reason}"):
        tone_mapping.check_colour("a.mp4", frame)


@pytest.mark.parametrize("signal_space, refused", [(0, False), (2, True)])
def test_dolby_vision_with_ipt_base_layer_is_refused(signal_space, refused):
    # AVDOVIMetadata begins with the offsets of its header, mapping and colour; the last has
    # signal_color_space at 185.
    colour = bytearray(200)
    colour[185] = signal_space
    metadata = struct.pack("@3N", 48, 72, 100).ljust(100, b"\0") + bytes(colour)
    frame = types.SimpleNamespace(
        side_data={tone_mapping.Type.DOVI_METADATA: metadata},
        colorspace=2,
        format=types.SimpleNamespace(is_rgb=False, name="yuv420p10le"),
    )
    if refused:
        with pytest.raises(MediaError, match="Dolby Vision"):
            tone_mapping.check_colour("a.mp4", frame)
    else:
        tone_mapping.check_colour("a.mp4", frame)


def test_sdr_frames_are_unchanged():
    picture = draw_sdr_picture()
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    pixels = tone_mapping.read_sdr_pixels(frame, HEIGHT, WIDTH, VideoReformatter())
    assert np.array_equal(pixels, picture)


def has_filters() -> bool:
    if not FFMPEG:
        return False
    command = [FFMPEG, "-hide_banner", "-filters"]
    filters = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return " zscale " in filters and " tonemap " in filters


@pytest.mark.parametrize("transfer, name, bound", [(PQ, "smpte2084", 4), (HLG, "arib-std-b67", 8)])
def test_luma_agrees_with_ffmpeg(transfer, name, bound):
    if not has_filters():
        pytest.skip("needs an ffmpeg with zscale and tonemap")
    frame = make_frame(convert_to_hdr(draw_sdr_picture(), transfer), transfer)
    tags = f"setparams=color_primaries=bt2020:color_trc={name}:colorspace=bt2020nc:range=tv"
    chain = (
        f"{tags},zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=709,tonemap=mobius:desat=0,"
        "zscale=t=709:m=709:r=tv,format=yuv444p,scale=in_color_matrix=bt709,format=rgb24"
    )
    planes = []
    for plane in frame.planes:
        lines = np.frombuffer(plane, np.uint16).reshape(plane.height, plane.line_size // 2)
        planes.append(lines[:, : plane.width].tobytes())
    command = [
        FFMPEG,
        "-v",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv444p10le",
        "-s",
        f"{WIDTH}x{HEIGHT}",
        "-i",
        "-",
        "-vf",
        chain,
        "-f",
        "rawvideo",
        "-",
    ]
    result = subprocess.run(command, input=b"".join(planes), capture_output=True, check=True)
    expected = np.frombuffer(result.stdout, np.uint8).reshape(HEIGHT, WIDTH, 3)
    pixels = tone_mapping.read_sdr_pixels(frame, HEIGHT, WIDTH, VideoReformatter())
    difference = (expected.astype(int) - pixels) @ (0.2126, 0.7152, 0.0722)
    assert np.abs(difference).mean() < bound
    grey = (
        expected[8, :75].astype(int) - pixels[8, :75]
    )  # the ramp, as far as ffmpeg's curve is straight
    assert np.abs(grey).max() <= 2


@pytest.mark.skipif("TFANON_REAL_CLIPS" not in os.environ, reason="TFANON_REAL_CLIPS is not set")
def test_real_clips_are_recognised_as_sdr():
    folder = os.environ["TFANON_REAL_CLIPS"]
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".avi", ".mp4")):
                with av.open(os.path.join(root, name), metadata_errors="replace") as container:
                    frame = next(container.decode(video=0))
                tone_mapping.check_colour(name, frame)
                assert not tone_mapping.is_hdr(frame)
