"""Reading a picture: every size, colour and kind, inverted or not; and files that are none."""

import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from glassnets.apps import picture
from glassnets.data import pictures
from glassnets.errors import GlassnetsError, ParameterError

MNIST, DIGITS = (28, 28), (8, 8)


def seven(height=120, width=90, ink=255, paper=0, margin=60):
    """A stroke across and one down, light on dark unless told otherwise."""
    grey = np.full((height + 2 * margin, width + 2 * margin), paper, np.uint8)
    grey[margin : margin + 14, margin : margin + width] = ink
    grey[margin : margin + height, margin + width - 14 : margin + width] = ink
    return grey


def own(shape=MNIST):
    """An image of the dataset's own size, its border black."""
    image = np.zeros(shape, np.uint8)
    image[1:-1, 1:-1] = np.random.default_rng(0).integers(0, 256, (shape[0] - 2, shape[1] - 2))
    return image


@pytest.fixture
def path(tmp_path):
    return tmp_path / "picture.png"


@pytest.fixture
def read(path):
    """``read(image)``: saves an array or a Pillow image, and reads it for MNIST."""

    def read(image, dataset="mnist", shape=MNIST, invert=None, **save):
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        image.save(path, **{"format": "PNG", **save})
        return picture.fit(*picture.contents(path), dataset, shape, invert)

    return read


def close(one, other, most=3):
    return np.abs(one.pixels.astype(int) - other.pixels).max() <= most


# Of the dataset's own size


@pytest.mark.parametrize("dataset", ["mnist", "planted"])
def test_a_picture_of_the_own_size_is_taken_as_it_is(read, dataset):
    fitted = read(own(), dataset)
    np.testing.assert_array_equal(fitted.pixels, own())
    assert fitted.pixels.dtype == np.uint8
    assert fitted.steps == (
        "read as light on dark: not inverted",
        f"28×28 pixels, the size of {dataset}: taken as it is",
    )


def test_an_inverted_one_is_inverted_back_and_the_steps_say_so(read):
    fitted = read(255 - own())
    np.testing.assert_array_equal(fitted.pixels, own())
    assert fitted.steps[0] == "read as dark on light: inverted"


@pytest.mark.parametrize("image", [own(), 255 - own()])
@pytest.mark.parametrize("invert", [True, False])
def test_the_flag_overrides_the_border(read, image, invert):
    fitted = read(image, invert=invert)
    np.testing.assert_array_equal(fitted.pixels, 255 - image if invert else image)
    assert fitted.steps[0] == ("inverted, as requested" if invert else "not inverted, as requested")


def test_a_dataset_without_a_layout_takes_its_own_size_only(read):
    with pytest.raises(ParameterError, match=r"the size of planted, 28×28 pixels, got 210×240"):
        read(seven(), "planted")


# Of any other size


def test_mnist_fits_the_ink_into_20_pixels_and_centres_its_mass(read):
    image = read(seven()).pixels
    rows, columns = np.nonzero(image)
    assert np.ptp(rows) + 1 == 20  # the longer side
    assert np.ptp(columns) + 1 == 15  # its aspect kept
    for axis, places in enumerate(np.indices(MNIST)):
        assert abs(np.average(places, weights=image) - 14) <= 0.5, axis
    assert image.max() == 255


def test_digits_fill_the_height(read):
    fitted = read(seven(), "digits", DIGITS)
    rows, columns = np.nonzero(fitted.pixels)
    assert np.ptp(rows) + 1 == 8
    assert (columns.min(), columns.max()) == (1, 6)
    assert "8×8" in fitted.steps[-1]


def test_a_stroke_is_hand_solved(read):
    # 5 × 1 of ink becomes 20 × 4; its centre is 1.5 columns from its left, 14 in the image.
    image = read(np.pad(np.full((5, 1), 255, np.uint8), 3)).pixels
    expected = np.zeros(MNIST, np.uint8)
    expected[4:24, 12:16] = 255
    np.testing.assert_array_equal(image, expected)


def test_size_place_inversion_brightness_and_contrast_make_no_difference(read):
    reference = read(seven())
    assert close(read(np.pad(seven(), ((0, 200), (90, 0)))), reference)
    assert close(read(seven(ink=40, paper=215)), reference)
    assert close(read(seven(ink=120, paper=70)), reference)
    assert close(read(seven().repeat(3, axis=0).repeat(3, axis=1)), reference)
    assert close(read(seven().repeat(8, axis=0).repeat(8, axis=1)), reference, most=40)


def test_neither_do_noise_and_a_shadow_on_the_paper(read):
    rng = np.random.default_rng(0)
    photo = seven(ink=50, paper=220) + rng.normal(0, 6, (240, 210)) - np.linspace(0, 40, 210)
    fitted = read(photo.clip(0, 255).astype(np.uint8))
    image, reference = fitted.pixels.astype(int), read(seven()).pixels
    # The centre of mass may fall into the next column.
    assert min(np.abs(np.roll(image, by, axis=1) - reference).mean() for by in (-1, 0, 1)) < 6
    assert fitted.pixels[0].max() == 0


def lit(light, ink=0.7, margin=60):
    """A photo of dark ink under this light, by place (down, across) from 0 to 1."""
    paper = seven(margin=margin)
    places = np.meshgrid(*(np.linspace(0, 1, side) for side in paper.shape), indexing="ij")
    return (light(*places) * (1 - ink * (paper > 0))).round().astype(np.uint8)


@pytest.mark.parametrize(
    "light",
    [
        lambda down, across: 240 - 150 * across,
        lambda down, across: 240 - 70 * down - 70 * across,
        lambda down, across: 240 - 240 * ((down - 0.5) ** 2 + (across - 0.5) ** 2),
        lambda down, across: 120 + 130 * np.exp(-4 * ((down - 0.3) ** 2 + (across - 0.2) ** 2)),
    ],
    ids=["from one side", "from a corner", "vignette", "lamp"],
)
def test_neither_does_uneven_light(read, light):
    photo = lit(light)
    fitted = read(photo)
    assert np.abs(fitted.pixels.astype(int) - read(seven()).pixels).mean() < 6
    assert fitted.steps[0] == "read as dark on light: inverted"
    assert re.fullmatch(r"the paper's own brightness, which .* 255, subtracted", fitted.steps[1])


def test_of_even_paper_no_light_is_subtracted(read):
    assert len(read(seven(ink=40, paper=215)).steps) == 2


@pytest.mark.parametrize("shape", [(3, 2000), (2000, 3), (5000, 4000), (3, 3)])
def test_any_shape(read, shape):
    height, width = shape
    image = np.zeros(shape, np.uint8)
    image[height // 3 : height // 3 * 2, width // 3 : width // 3 * 2] = 255
    fitted = read(image)
    assert fitted.pixels.shape == MNIST
    assert fitted.pixels.max() == 255


# Of every mode and format


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_of_png(read, mode):
    assert close(read(Image.fromarray(seven()).convert(mode)), read(seven()))


def test_sixteen_bits_are_not_cut(read):
    wide = Image.fromarray(seven(ink=200, paper=100).astype(np.uint16) * 257)
    assert close(read(wide), read(seven(ink=200, paper=100)))


@pytest.mark.parametrize(
    ("format", "mode"),
    [("JPEG", "RGB"), ("JPEG", "CMYK"), ("BMP", "RGB"), ("GIF", "P"), ("WEBP", "RGB")],
)
def test_every_format_whatever_the_name_says(read, format, mode):
    image = Image.fromarray(255 - seven()).convert("RGB").convert(mode)
    fitted = read(image, format=format)
    assert close(fitted, read(seven()), most=40)
    assert fitted.steps[0] == "read as dark on light: inverted"


def test_colours_count_by_their_brightness(read):
    ink = np.where(seven()[..., None] > 0, (20, 20, 160), (250, 245, 200)).astype(np.uint8)
    assert close(read(ink), read(seven()))


@pytest.mark.parametrize(
    ("ink", "paper"), [((200, 60, 40), (40, 129, 60)), ((40, 129, 60), (200, 60, 40))]
)
def test_ink_as_bright_as_the_paper_is_told_by_its_colour(read, ink, paper):
    picture = np.where(seven()[..., None] > 0, ink, paper).astype(np.uint8)
    assert np.ptp(np.asarray(Image.fromarray(picture).convert("L"), int)) < 8
    fitted = read(picture)
    assert close(fitted, read(seven()))
    assert fitted.steps[0] == "read as ink of another colour than the paper, as bright as it"


@pytest.mark.parametrize(("ink", "paper"), [(0, "white"), (255, "black")])
@pytest.mark.parametrize("colours", [1, 3])
def test_transparent_paper_is_what_the_ink_differs_from(read, ink, paper, colours):
    values = np.full((*seven().shape, colours), ink, np.uint8)
    fitted = read(np.concatenate([values, seven()[..., None]], axis=2))
    assert close(fitted, read(seven()))
    assert fitted.steps[0] == f"transparent parts read as {paper} paper"


def test_a_palette_with_a_transparent_colour(read):
    image = Image.fromarray(seven() // 255).convert("P")
    image.putpalette([9, 9, 9, 0, 0, 0])
    assert close(read(image, transparency=0), read(seven()))


def test_a_photo_is_turned_as_its_camera_says(read):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    turned = Image.fromarray(np.rot90(seven()))
    assert close(read(turned, format="JPEG", exif=exif), read(seven()), most=40)


def test_of_a_film_the_first_frame(read):
    first, second = Image.fromarray(seven()), Image.fromarray(np.rot90(seven(), 2))
    fitted = read(first, format="GIF", save_all=True, append_images=[second])
    assert close(fitted, read(seven()))
    assert fitted.steps[0] == "the first frame of several"


# What is no picture, or shows nothing


def refused(path, error=GlassnetsError):
    with pytest.raises(error) as raised:
        picture.fit(*picture.contents(path), "mnist", MNIST)
    assert "\n" not in str(raised.value)
    return raised.value.exit_code, str(raised.value)


def test_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # which must not be waited for
    for name, came in (("none.png", "none"), ("", "a folder"), ("pipe", "something else")):
        path = tmp_path / name
        message = f"FILE: expected a picture file {path}, got {came}"
        assert refused(path, ParameterError) == (2, message)


def test_a_name_of_many_lines_is_printed_in_one(tmp_path):
    assert refused(tmp_path / "a\nb.png", ParameterError)[1].endswith("a\\nb.png', got none")


def test_an_empty_file(path):
    path.touch()
    assert refused(path) == (
        1,
        f"{path}: expected a picture of 1 byte to 100 MB, got an empty file",
    )


def test_a_file_too_long(path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    path.write_bytes(bytes(11))
    assert refused(path)[0] == 1


@pytest.mark.parametrize("content", [b"hello", b"\x00" * 100, b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n"])
def test_a_file_of_another_kind(path, content):
    path.write_bytes(content)
    code, message = refused(path)
    assert code == 1
    assert "expected a picture (PNG, JPEG, BMP, GIF, WEBP), got a file of another kind" in message


def test_formats_that_are_not_listed_are_not_opened(path):
    Image.fromarray(seven()).save(path, format="TIFF")
    assert "another kind" in refused(path)[1]


def png(width, height):
    """A PNG that says to be so large, and holds next to nothing."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8_001, 12_000, 100_000])
def test_a_bomb_is_refused_before_it_is_unpacked(path, side):
    path.write_bytes(png(side, side))
    code, message = refused(path)
    assert code == 1
    assert "expected a picture of at most 64 million pixels, got" in message


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_half_a_picture(path, format):
    Image.fromarray(seven()).convert("RGB").save(path, format=format)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refused(path)[0] == 1


@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (300, 200)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_paper(path, shape, value):
    faint = np.full(shape, value, np.int64) + np.arange(shape[1]) % 20
    Image.fromarray(faint.clip(0, 255).astype(np.uint8)).save(path)
    code, message = refused(path)
    assert code == 1
    assert "expected ink on paper, got a blank picture" in message


def test_nothing_but_transparency(read):
    with pytest.raises(GlassnetsError, match="blank"):
        read(np.zeros((50, 50, 4), np.uint8))


def test_a_flag_that_leaves_no_ink(read):
    with pytest.raises(GlassnetsError, match="lighter than the paper"):
        read(seven(), invert=True)


VALID = []
for _format in ("PNG", "JPEG", "GIF", "WEBP", "BMP"):
    _file = io.BytesIO()
    Image.fromarray(seven(24, 18, margin=6)).convert("RGB").save(_file, format=_format)
    VALID.append(_file.getvalue())


@st.composite
def damaged(draw):
    """A picture with some of its bytes changed and its end cut, or bytes alone."""
    content = bytearray(draw(st.sampled_from([*VALID, b""]) | st.binary(max_size=300)))
    for _ in range(draw(st.integers(0, 8)) if content else 0):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))]) if draw(st.booleans()) else content


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=damaged())
def test_any_bytes_are_an_image_or_one_line(path, content):
    path.write_bytes(content)
    try:
        fitted = picture.fit(*picture.contents(path), "mnist", MNIST)
    except GlassnetsError as error:
        message = str(error)
        assert "\n" not in message
    else:
        assert (fitted.pixels.shape, fitted.pixels.dtype) == (MNIST, np.uint8)
        assert fitted.pixels.max() > 0
