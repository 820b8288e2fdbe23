"""The store: whatever has a blob's name is whole, and stays private."""

import hashlib
import os
import resource
import stat

import pytest
from workplace import Workplace

from sync.errors import StorageError
from sync.files import Blob, FileStore


@pytest.fixture
def store(tmp_path):
    store = FileStore(tmp_path / "files")
    store.prepare()
    return store


def put(store: FileStore, chunks) -> Blob:
    with store.receive() as incoming:
        incoming.take(0, "", chunks)
        return incoming.keep()


def blobs(store: FileStore) -> list:
    return [each for each in store.root.rglob("*") if each.is_file()]


def test_bytes_are_stored_under_their_hash(store: FileStore):
    blob = put(store, [b"hel", b"lo"])

    sha256 = hashlib.sha256(b"hello").hexdigest()
    assert blob == Blob(sha256, 5)
    path = store.root / "sha256" / sha256[:2] / sha256[2:]
    assert path == store.path(sha256)
    assert path.read_bytes() == b"hello"
    assert store.has(blob)


def test_the_same_bytes_are_stored_once(store: FileStore):
    put(store, [b"hello"])
    put(store, [b"h", b"ello"])
    assert len(blobs(store)) == 1


def test_a_blob_of_the_wrong_size_is_written_again(store: FileStore):
    blob = put(store, [b"hello"])
    store.path(blob.sha256).write_bytes(b"hel")
    assert not store.has(blob)

    put(store, [b"hello"])

    assert store.has(blob)


def test_nothing_is_left_of_a_file_that_ends_early(store: FileStore):
    def cut():
        yield b"half"
        raise ConnectionError("cut")

    with pytest.raises(ConnectionError):
        put(store, cut())
    assert blobs(store) == []


def test_what_a_crash_left_behind_is_cleared_away(store: FileStore):
    (store.root / "tmp" / "half").write_bytes(b"half")
    store.prepare()
    assert blobs(store) == []


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(store: FileStore):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StorageError, match="cannot write below"):
            put(store, [b"x" * 5000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert blobs(store) == []


def test_the_store_is_private_to_the_user(store: FileStore):
    blob = put(store, [b"secret"])
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.path(blob.sha256).stat().st_mode) == 0o600


def test_a_store_where_none_can_be_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        FileStore(tmp_path / "file" / "store").prepare()


def test_a_blob_is_durable_before_it_has_its_name_and_its_name_once_settled(
    store: FileStore, monkeypatch
):
    done = []
    real_sync, real_replace = os.fsync, type(store.root).replace

    def fsync(descriptor):
        done.append("fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        real_sync(descriptor)

    def replace(path, target):
        result = real_replace(path, target)
        done.append("rename")
        return result

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(type(store.root), "replace", replace)
    put(store, [b"hello"])
    assert done == ["fsync file", "rename"]
    store.settle()
    # Of the blob, of all blobs, of the store, and of what that lies in.
    assert done[2:] == ["fsync folder"] * 4
    store.settle()
    assert len(done) == 6


def test_a_blob_that_was_there_before_gets_its_name_settled_too(store: FileStore, monkeypatch):
    blob = put(store, [b"hello"])
    # As after a crash between its name and the settling of it.
    later = FileStore(store.root)
    synced = []
    monkeypatch.setattr("sync.files.make_lasting", synced.append)
    assert put(later, [b"hello"]) == blob
    later.settle()
    assert store.path(blob.sha256).parent in synced


def test_a_disk_that_failed_to_settle_is_not_believed_the_next_time(store: FileStore, monkeypatch):
    put(store, [b"hello"])

    def broken(_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("sync.files.make_lasting", broken)
        with pytest.raises(StorageError):
            store.settle()
    with pytest.raises(StorageError):
        store.settle()


def test_no_file_is_noted_as_stored_before_its_name_lasts(work: Workplace, monkeypatch):
    def broken(self: FileStore) -> None:
        raise StorageError("the disk is broken")

    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "settle", broken)
        assert work.run("backup").code == 8
    assert work.sql("select count(*) from change where kind = 'file'") == [(0,)]
    work.backup()
    assert work.sql("select count(*) from change where kind = 'file'") != [(0,)]
