"""Pictures: folders, tables and archives of them; every mode; what is refused."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from glassnets.data import own
from glassnets.data.own import Options, files
from glassnets.errors import GlassnetsError, ParameterError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (8, 8), dtype=np.uint8)
COLOURED = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
FOUR = {"b/1.png": GREY, "b/2.png": 255 - GREY, "a/1.png": GREY.T, "a/10.png": GREY[::-1]}


def refused(path, error=GlassnetsError, **options):
    with pytest.raises(error) as info:
        own.look(own.kind_of(path, Options(**options)), path, Options(**options))
    assert "\n" not in str(info.value)
    return str(info.value)


def facts(found, heading):
    return " ".join(dict(found.facts)[heading])


def test_a_folder_for_each_class(folder, look):
    found = look("image", folder(FOUR))
    assert found.class_names == ("a", "b")
    assert found.arrays["labels"].tolist() == [0, 0, 1, 1]
    expected = np.stack([GREY.T, GREY[::-1], GREY, 255 - GREY])
    np.testing.assert_array_equal(found.arrays["images"], expected)
    assert found.arrays["images"].dtype == np.uint8
    assert found.source.size == "8x8"


def test_folders_of_one_number_are_refused(folder):
    path = folder({f"{name}/{i}.png": GREY for name in ("1", "01", "2") for i in range(2)})
    assert refused(path).endswith(
        "expected folders of different classes, got '01', '1', which are the same number: rename "
        "or join them"
    )


def test_one_coloured_picture_makes_all_rgb(folder, look):
    images = look("image", folder(FOUR | {"a/2.png": COLOURED})).arrays["images"]
    assert images.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(images[2], COLOURED)
    np.testing.assert_array_equal(images[0], np.stack([GREY.T] * 3, axis=2))


def test_grey_pictures_saved_in_colours_are_grey(folder, look):
    path = folder({name: Image.fromarray(image).convert("RGB") for name, image in FOUR.items()})
    assert look("image", path).arrays["images"].shape == (4, 8, 8)


def test_other_sizes_are_resized_to_the_most_frequent_one(folder, look):
    path = folder(FOUR | {"a/2.png": np.full((16, 16), 77, np.uint8)})
    found = look("image", path)
    assert (found.arrays["images"][2] == 77).all()
    assert "8×8: 4, 16×16: 1; resized, the most frequent size" in facts(found, "pictures")
    assert facts(found, "converted") == "1 resized"
    assert look("image", path, size=(4, 12)).arrays["images"].shape == (5, 4, 12)


@pytest.mark.parametrize(
    ("image", "expected", "said"),
    [
        (Image.fromarray(GREY.astype(np.uint16) * 256), GREY, None),
        (Image.fromarray(GREY).convert("P"), GREY, "palette"),
        (Image.fromarray(GREY > 99), np.where(GREY > 99, 255, 0), None),
        (Image.fromarray(np.dstack([GREY, GREY * 0])), GREY * 0 + 255, "transparent: on white"),
    ],
)
def test_modes(folder, look, image, expected, said):
    found = look("image", folder(FOUR | {"a/2.png": image}))
    np.testing.assert_array_equal(found.arrays["images"][2], expected)
    assert said is None or said in facts(found, "converted")


def test_a_size_that_is_asked_for_may_be_one_that_no_patches_tile(folder, look):
    assert look("image", folder(FOUR), size=(100, 75)).arrays["images"].shape[1:3] == (100, 75)


def test_cmyk(folder, look):
    smooth = Image.new("RGB", (8, 8), (200, 30, 60)).convert("CMYK")
    found = look("image", folder(FOUR | {"a/2.jpg": smooth}))
    assert np.abs(found.arrays["images"][2].astype(int) - (200, 30, 60)).max() <= 4
    assert "CMYK" in facts(found, "converted")


def test_pictures_are_turned_as_their_camera_says(folder, look):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = RNG.integers(0, 256, (8, 12), dtype=np.uint8)
    path = folder({f"{c}/{i}.png": np.rot90(wide) for c in "ab" for i in (1, 2)}, exif=exif)
    found = look("image", path)
    assert found.arrays["images"].shape == (4, 8, 12)
    np.testing.assert_array_equal(found.arrays["images"][0], wide)


def test_the_first_frame_of_an_animation(folder, look):
    path = folder(FOUR)
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path / "a" / "2.gif", save_all=True, append_images=frames[1:])
    found = look("image", path)
    np.testing.assert_array_equal(found.arrays["images"][2], GREY)
    assert "1 the first frame of several" in facts(found, "converted")


def test_names_of_classes_in_any_script(folder, look):
    names = ("a b", "é", "e\u0301", "猫")  # the second and the third: é, as file systems differ
    found = look("image", folder({f"{n}/{i}.png": GREY + i for n in names for i in range(2)}))
    assert found.class_names == ("a b", "é", "猫")


def test_files_of_other_kinds_are_ignored_and_named(folder, look):
    path = folder(FOUR)
    (path / "a" / "notes.txt").touch()
    (path / ".DS_Store").touch()
    assert facts(look("image", path), "ignored") == "1 other files: 'a/notes.txt'"


def test_a_table_of_names_and_labels(folder, look):
    path = folder(FOUR)
    table = path / "labels.csv"
    rows = ["a/1.png;gut;p", "a/10.png;schlecht;q", "b/1.png;gut;r", "b/2.png;schlecht;p"]
    table.write_text("\n".join(["datei;urteil;wer", *rows]), encoding="utf-8")
    found = look("image", table, label="urteil", group="wer")
    assert found.class_names == ("gut", "schlecht")
    assert found.arrays["labels"].tolist() == [0, 1, 0, 1]
    assert found.arrays["groups"].tolist() == [0, 1, 2, 0]
    np.testing.assert_array_equal(found.arrays["images"][2], GREY)
    assert found.source.file == "datei"


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "none.png", "a/1.png"])
def test_a_table_names_files_of_its_own_folder_once(folder, name):
    path = folder(FOUR)
    table = path / "labels.csv"
    rows = ["a/1.png,x", "a/10.png,y", "b/1.png,x", f"{name},y"]
    table.write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    assert name in refused(table)


@pytest.mark.parametrize(
    ("convert", "shape"),
    [
        (lambda images: images, (20, 8, 8, 3)),
        (lambda images: np.moveaxis(images, 3, 1), (20, 8, 8, 3)),
        (lambda images: images / np.float32(255), (20, 8, 8, 3)),
        (lambda images: images.astype(np.float64), (20, 8, 8, 3)),
        (lambda images: images.astype(np.int64), (20, 8, 8, 3)),
        (lambda images: images.astype(np.uint16) * 256, (20, 8, 8, 3)),
        (lambda images: images[..., 0], (20, 8, 8)),
        (lambda images: images[..., :1], (20, 8, 8)),
    ],
)
def test_archives(npz, look, convert, shape):
    images = RNG.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    images[0, 0, 0, 0] = 255
    found = look("image", npz(images=convert(images), labels=np.repeat(["b", "a"], 10)))
    assert found.arrays["images"].shape == shape
    np.testing.assert_array_equal(
        found.arrays["images"].reshape(shape),
        images[..., :3] if len(shape) == 4 else images[..., 0],
    )
    assert found.arrays["labels"].tolist() == [1] * 10 + [0] * 10


def test_an_archive_is_resized(npz, look):
    path = npz(images=RNG.integers(0, 256, (20, 8, 8), dtype=np.uint8), labels=np.arange(20) % 2)
    assert look("image", path, size=(16, 12)).arrays["images"].shape == (20, 16, 12)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((4, 8, 8)), "labels": np.zeros(3)}, "a class number or name each"),
        ({"images": np.zeros((4, 8, 8)), "labels": np.eye(4)}, "labels.argmax(axis=1)"),
        ({"images": np.zeros((4, 8)), "labels": np.arange(4)}, "images of shape n×height×width"),
        ({"images": np.full((4, 8, 8), -1), "labels": [0, 1, 0, 1]}, "numbers from -1 to -1"),
        ({"images": np.full((4, 8, 8), np.nan), "labels": [0, 1, 0, 1]}, "numbers from nan"),
        ({"images": np.array([[1], "x"], object), "labels": [0, 1]}, "Python objects"),
        ({"bilder": np.zeros((4, 8, 8)), "labels": [0, 1, 0, 1]}, "got 'bilder', 'labels'"),
    ],
)
def test_bad_archives(npz, arrays, message):
    assert message in refused(npz(**arrays))


def test_a_bomb_is_refused_by_its_header(tmp_path):
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (900_000, 1000, 1000)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(10**7))
        archive.writestr("labels.npy", b"")
    assert "at most 512 MiB of numbers" in refused(path)
    np.savez(path, images=np.zeros((4, 8, 8), np.uint8), labels=np.arange(4) % 2)
    content = path.read_bytes()
    assert content.count(b"(4, 8, 8)") == 1
    path.write_bytes(content.replace(b"(4, 8, 8)", b"(9, 8, 8)"))
    assert "a broken one" in refused(path)


def test_a_picture_of_too_many_pixels_is_not_decoded(folder):
    path = folder(FOUR)
    Image.new("1", (20_000, 20_000)).save(path / "a" / "bomb.png")
    assert "at most 64 million pixels" in refused(path)


def test_a_folder_of_too_many_pixels_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(files, "MAX_ARRAY_BYTES", 1000)
    assert "give a smaller --size" in refused(folder(FOUR | {"a/2.png": GREY, "a/3.png": GREY}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "a folder of pictures for each class, got none"),
        ({"1.png": GREY}, "1 pictures beside each other"),
        ({"a/1.png": GREY, "a/2.png": GREY}, "at least two classes (folders), got one, 'a'"),
        ({"a/1.png": GREY, "b/1.png": GREY, "b/2.png": GREY}, "at least 2 of each class"),
        ({"train/a/1.png": GREY, "train/b/1.png": GREY}, "no folders within, got 'a'"),
        ({f"{c}/{i}.png": GREY[:2, :2] for c in "ab" for i in "12"}, "pictures of 4 to 1024"),
    ],
)
def test_bad_folders(folder, tmp_path, content, message):
    (tmp_path / "pictures").mkdir()
    assert message in refused(folder(content))


def test_broken_and_disguised_files_are_counted_and_the_first_named(folder):
    path = folder(FOUR)
    (path / "a" / "page.png").write_text("<html>")
    (path / "b" / "cut.png").write_bytes((path / "b" / "1.png").read_bytes()[:60])
    (path / "b" / "empty.jpg").touch()
    message = refused(path)
    assert "page.png: expected a picture (PNG" in message
    assert message.endswith(
        "mend or remove it (1 other file is broken too)"
    )  # cut.png has a header


def test_a_cut_file_is_found_when_it_is_decoded(folder):
    path = folder(FOUR)
    (path / "b" / "cut.png").write_bytes((path / "b" / "1.png").read_bytes()[:60])
    assert "cut.png: expected a whole picture, got a broken one" in refused(path)


@pytest.mark.parametrize("name", ["a/link.png", "link"])
def test_links_out_of_the_folder_are_refused(folder, tmp_path, name):
    path = folder(FOUR)
    outside = tmp_path / "outside"
    outside.mkdir()
    Image.fromarray(GREY).save(outside / "1.png")
    target = outside / "1.png" if name.endswith("png") else outside
    (path / name).symlink_to(target)
    assert "got a link out of it: copy the file" in refused(path)


def test_a_link_within_is_a_picture(folder, look):
    path = folder(FOUR)
    (path / "a" / "2.png").symlink_to(path / "b" / "1.png")
    assert len(look("image", path).arrays["images"]) == 5


def test_options_of_tables_are_refused_of_folders(folder):
    assert "--label: expected with other data" in refused(folder(FOUR), ParameterError, label="x")
