import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.base.files import near, write_whole
from gradcheck.errors import OutputError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Set the umask to 026 for one test."""
    before = os.umask(0o026)
    yield
    os.umask(before)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_file_holds_what_was_written_last(tmp_path_factory, first, second):
    path = tmp_path_factory.getbasetemp() / "written"
    for content in (first, second):
        write_whole(path, content)
        assert path.read_bytes() == content


def test_nothing_but_the_file_is_left(tmp_path):
    write_whole(tmp_path / "a", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.fixture(params=[OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()], ids=["full", "stopped"])
def half_written(request, monkeypatch):
    """Every write stops half way with this error."""
    real = os.fdopen

    def fdopen(*arguments):
        file = real(*arguments)
        whole = file.write

        class Half:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def write(self, content):
                whole(content[: len(content) // 2])
                raise request.param

        return Half()

    monkeypatch.setattr(os, "fdopen", fdopen)
    return request.param


def test_a_write_that_fails_leaves_the_old_file_as_it_was(tmp_path, half_written):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises((OutputError, KeyboardInterrupt)):
        write_whole(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_makes_no_new_file(tmp_path, half_written):
    with pytest.raises((OutputError, KeyboardInterrupt)):
        write_whole(tmp_path / "a", b"new and longer")
    assert not list(tmp_path.iterdir())


def test_a_rename_that_fails_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    def replace(self, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OutputError, match="a: can't be written: operation not permitted"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o755])
def test_an_existing_file_keeps_its_mode(tmp_path, bits):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(bits)
    write_whole(path, b"new")
    assert mode(path) == bits


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    write_whole(tmp_path / "a", b"new")
    assert mode(tmp_path / "a") == 0o640
    assert os.umask(0o026) == 0o026  # and the umask is as it was


def test_a_symbolic_link_stays_one_and_its_target_is_written(tmp_path):
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link.symlink_to("folder/target")
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_symbolic_link_to_nothing_yet_makes_its_target(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_symbolic_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OutputError, match="loop: can't be written"):
        write_whole(tmp_path / "loop", b"new")


def test_a_device_is_written_to_and_stays_a_device():
    write_whole(Path("/dev/null"), b"new")
    assert Path("/dev/null").is_char_device()


def test_a_full_device_is_an_output_error():
    if not Path("/dev/full").is_char_device():
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="/dev/full: can't be written: no space left on device"):
        write_whole(Path("/dev/full"), b"new")


def test_a_named_pipe_passes_the_content_on(tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"new")
    reader.join()
    assert received == [b"new"]
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError) as caught:
        write_whole(tmp_path / "none" / "a", b"new")
    path = tmp_path / "none" / "a"
    assert str(caught.value) == f"{path}: can't be written: the folder {path.parent} doesn't exist; make it first"
    assert caught.value.path == path


def test_a_folder_in_the_files_place_is_refused(tmp_path):
    with pytest.raises(OutputError, match="it is a folder; name a file in it"):
        write_whole(tmp_path, b"new")


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OutputError, match="can't be written: not a directory"):
        write_whole(tmp_path / "a" / "b", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_name_as_long_as_the_file_system_allows_is_written(tmp_path):
    path = tmp_path / ("a" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_link_to_nothing_is_not_suggested_in_its_own_place(tmp_path):
    (tmp_path / "run.jsonl").symlink_to("nowhere")
    assert near(tmp_path / "run.jsonl") == ""
    assert near(tmp_path / "run.json") == "; did you mean 'run.jsonl'?"
