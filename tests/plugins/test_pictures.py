"""What becomes of a picture in memory, whatever its format: bits, channels, orientation; the same in every data set."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate import InputError, registry
from ablate.config.compose import prepare

Image = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
SIDE = 12
RAMP = np.linspace(0, 65535, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16)
UPPER = (RAMP >> 8).astype(np.uint8)


def png(colour_type: int, rows: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel; Pillow itself writes grey ones only."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, colour_type, 0, 0, 0)
    pixels = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(bits: int, byteorder: str = "<", photometric: int = 1) -> bytes:
    """A grey TIFF of the ramp's upper bits."""
    if bits == 12:  # two values in three bytes
        pairs = (RAMP >> 4).reshape(-1, 2).astype(int)
        pixels = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)
    else:
        pixels = RAMP.astype(f"{byteorder}u2").tobytes()
    tags = [(256, SIDE), (257, SIDE), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, SIDE)]
    tags.append((279, len(pixels)))
    start = 8 + len(pixels)
    head = (b"II" if byteorder == "<" else b"MM") + struct.pack(f"{byteorder}HI", 42, start)
    entries = b"".join(struct.pack(f"{byteorder}HHII", tag, 4, 1, value) for tag, value in tags)
    return head + pixels + struct.pack(f"{byteorder}H", len(tags)) + entries + struct.pack(f"{byteorder}I", 0)


def pgm(largest: int, values: np.ndarray, kind: str = "P5") -> bytes:
    if kind == "P2":
        return f"P2 {SIDE} {SIDE} {largest}\n{' '.join(map(str, values.ravel()))}".encode()
    return f"{kind} {SIDE} {SIDE} {largest}\n".encode() + values.astype(">u2").tobytes()


def saved(picture: Any, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def repeated(channels: int) -> np.ndarray:
    return np.repeat(RAMP, channels, axis=1)


SIXTEEN_BITS = {
    "png": ("png", png(0, RAMP)),
    "png with alpha": ("png", png(4, repeated(2))),
    "coloured png": ("png", png(2, repeated(3))),
    "coloured png with alpha": ("png", png(6, repeated(4))),
    "pgm": ("pgm", pgm(65535, RAMP)),
    "pgm as text": ("pgm", pgm(65535, RAMP, "P2")),
    "ppm": ("ppm", pgm(65535, repeated(3), "P6")),
    "tiff": ("tiff", tiff(16)),
    "tiff, big end first": ("tif", tiff(16, ">")),
    "tiff of 12 bits": ("tif", tiff(12)),
}


def folder_of(root: Path, name: str, content: bytes) -> Path:
    for part in ("train", "val"):
        for label in ("a", "b"):
            (root / part / label).mkdir(parents=True)
            (root / part / label / name).write_bytes(content)
    return root


def image(root: Path, channels: int = 1, resize: int | None = None, size: int = SIDE) -> np.ndarray:
    """The first training picture, (C, H, W), as a cell gets it."""
    prepare()
    where = {"root": root, "classes": 2, "size": size, "resize": resize, "channels": channels}
    split = registry.build("data", {"name": "imagefolder", **where}).load().train
    if resize is None:
        return np.asarray(split.images[0])
    return np.asarray(split.read(0, (size, size), lambda height, width: None))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize("resize", [None, SIDE])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("ending", "content"), SIXTEEN_BITS.values(), ids=SIXTEEN_BITS)
def test_values_of_more_than_8_bits_keep_their_scale(
    tmp_path: Path, ending: str, content: bytes, channels: int, resize: int | None
) -> None:
    got = image(folder_of(tmp_path, f"x.{ending}", content), channels, resize)
    # A grey value out of three equal colours is rounded once more.
    for channel in got.astype(int):
        assert np.abs(channel - UPPER).max() <= 1
        assert len(np.unique(channel)) > 120


@pytest.mark.parametrize("largest", [1023, 4095])
def test_a_pgm_says_itself_what_white_is(tmp_path: Path, largest: int) -> None:
    values = np.round(RAMP / 65535 * largest).astype(np.uint16)
    got = image(folder_of(tmp_path, "x.pgm", pgm(largest, values)))
    assert np.abs(got[0].astype(int) - UPPER).max() <= 1


def test_a_tiff_whose_white_is_zero_is_no_negative(tmp_path: Path) -> None:
    got = image(folder_of(tmp_path, "x.tif", tiff(16, photometric=0)))
    assert np.abs(got[0].astype(int) - (255 - UPPER)).max() <= 1


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_values_without_a_scale_are_one_line_that_names_the_file(tmp_path: Path, kind: type) -> None:
    root = folder_of(tmp_path, "x.tif", saved(Image.fromarray(RAMP.astype(kind)), "TIFF"))
    with pytest.raises(InputError) as error:
        image(root)
    assert str(error.value) == (
        f"{root}/train/a/x.tif cannot be read as a picture (its values of 32 bits have no scale of 8; save it with 8 "
        "or 16 bits a channel); replace or remove it"
    )


GREY = Image.fromarray(UPPER)
EIGHT_BITS: dict[str, tuple[bytes, int]] = {
    "grey": (saved(GREY), 0),
    "a grey that is transparent": (saved(GREY, transparency=7), 0),
    "grey with alpha": (saved(GREY.convert("LA")), 0),
    "colour with alpha": (saved(GREY.convert("RGBA")), 1),
    "palette": (saved(GREY.convert("P")), 1),
    "palette with transparency": (saved(GREY.convert("P"), transparency=bytes(range(200))), 1),
    "gif": (saved(GREY, "GIF"), 1),
    "ink": (saved(GREY.convert("RGB").convert("CMYK"), "TIFF"), 1),
    "lossless webp": (saved(GREY.convert("RGB"), "WEBP", lossless=True), 1),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("content", "off"), EIGHT_BITS.values(), ids=EIGHT_BITS)
def test_what_has_8_bits_keeps_its_values(tmp_path: Path, content: bytes, off: int, channels: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = image(folder_of(tmp_path, "x.png", content), channels)
    assert all(np.abs(channel.astype(int) - UPPER).max() <= off for channel in got)


def test_black_and_white_are_0_and_255(tmp_path: Path) -> None:
    got = image(folder_of(tmp_path, "x.png", saved(Image.fromarray(UPPER > 127))))
    assert np.array_equal(got[0], np.where(UPPER > 127, 255, 0))


TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}


def oriented(orientation: int, form: str, stored: np.ndarray = UPPER) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(Image.fromarray(stored), form, exif=exif)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_stands_as_its_exif_says(tmp_path: Path, orientation: int, form: str) -> None:
    got = image(folder_of(tmp_path, "x.png", oriented(orientation, form)))
    off = 30 if form == "JPEG" else 0
    assert np.abs(got[0].astype(int) - TURNS[orientation](UPPER)).max() <= off


def test_a_window_is_cut_out_of_the_upright_picture(tmp_path: Path) -> None:
    """Stored 12 high and 24 wide, shown 24 high and 12 wide."""
    prepare()
    root = folder_of(tmp_path, "x.png", oriented(6, "PNG", np.hstack([UPPER, UPPER])))
    data = registry.build("data", {"name": "imagefolder", "root": root, "classes": 2, "size": 12, "resize": 12})
    asked = []
    data.load().train.read(0, (12, 12), lambda height, width: asked.append((height, width)))
    assert asked == [(24, 12)]


def test_what_a_camera_has_spoilt_beside_a_picture_does_not_refuse_it(tmp_path: Path) -> None:
    got = image(folder_of(tmp_path, "x.png", saved(GREY, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")))
    assert np.array_equal(got[0], UPPER)


def test_what_another_release_decoded_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ablate.plugins.data import _kept

    first = _kept.decoded_file("folder", size=8)
    assert _kept.decoded_file("folder", size=8) == first
    monkeypatch.setattr("inspect.getsource", lambda module: f"# {module.__name__} of another release")
    assert _kept.decoded_file("folder", size=8) != first


def test_a_set_of_the_hub_shows_the_same_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pictures come decoded from the library; bits and orientation are seen to alike."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = {"deep": saved(Image.fromarray(RAMP)), "turned": saved(GREY, exif=exif), "pgm": pgm(65535, RAMP)}
    rows = {"image": [{"bytes": content, "path": None} for content in contents.values()], "label": [0, 1, 0]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    split = datasets.Dataset.from_dict(rows, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **options: split)
    prepare()
    data = registry.build("data", {"name": "hub", "path": "x/y", "classes": 2, "size": SIDE, "channels": 1})
    deep, upright, pgm_image = (np.asarray(one[0]) for one in data.load().train.images)
    assert np.array_equal(deep, UPPER)
    assert np.array_equal(upright, np.rot90(UPPER, -1))
    assert np.array_equal(pgm_image, UPPER)
