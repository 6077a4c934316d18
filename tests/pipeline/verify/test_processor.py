"""What is said of the processor, on Linux and where there is no /proc/cpuinfo."""

import platform

import pytest

from glassnets.pipeline.verify import processor


@pytest.mark.parametrize(
    ("machine", "said", "same", "name"),
    [
        ("x86_64", "model name\t: AMD EPYC\nflags\t\t: fpu avx2 sse\n", True, "AMD EPYC"),
        ("x86_64", "model name\t: Intel Atom\nflags\t\t: fpu sse\n", False, "Intel Atom"),
        ("aarch64", "processor\t: 0\nFeatures\t: fp asimd\n", False, "of Python"),
        ("arm64", None, False, "of Python"),
    ],
)
def test_bytes_are_promised_on_x86_64_with_avx2_alone(
    monkeypatch, tmp_path, machine, said, same, name
):
    if said is not None:
        (tmp_path / "cpuinfo").write_text(said)
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "processor", lambda: "of Python")
    assert processor.gives_the_same_bytes() == same
    assert processor.processor() == name
