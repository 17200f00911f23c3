"""`momentseek demo`; tests/test_wheel.py runs it as it is installed, with Ray."""

from __future__ import annotations


def test_a_folder_that_cannot_be_written_is_named(momentseek, tmp_path):
    (tmp_path / "file").touch()
    result = momentseek("demo", "--output", tmp_path / "file" / "demo", "--in-process")
    assert (result.code, "Traceback" in result.err) == (1, False)
    assert f"the demo cannot write to '{tmp_path}/file/demo' (Not a directory); name another folder" in result.err


def test_a_file_in_place_of_the_folder_is_a_usage_error(momentseek, tmp_path):
    (tmp_path / "file").touch()
    result = momentseek("demo", "--output", tmp_path / "file")
    assert (result.code, "is a file" in result.err) == (2, True)


def test_a_library_of_another_demo_model_says_what_to_do(momentseek, config, make_video, tmp_path):
    assert momentseek("index", make_video(), "-c", config, "-l", tmp_path / "demo" / "library").code == 0
    result = momentseek("demo", "--output", tmp_path / "demo", "--in-process")
    assert (result.code, f"remove '{tmp_path}/demo', or name another folder: --output DIR" in result.err) == (1, True)
