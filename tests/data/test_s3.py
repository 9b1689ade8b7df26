"""Prepared data in an S3 bucket: written in parts, read file by file. The server is moto, on this machine."""

import pathlib

import fsspec
import numpy as np
import pytest
from tiny_files import COUNT, SIZE, SPEC

from sde_seg_jax.data.preparing.parts import finish_parts, prepare_part
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.stored import far_files
from sde_seg_jax.part import Part

pytest.importorskip("s3fs", reason="pip install s3fs 'moto[server]'")
moto_server = pytest.importorskip("moto.server", reason="pip install s3fs 'moto[server]'")

URL = "s3://bucket/data"


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    server = moto_server.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    for key, value in {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("SDE_SEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": f"http://{host}:{port}"})
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    if not system.exists("bucket"):  # moto keeps it from one server to the next
        system.mkdir("bucket")
    yield system
    server.stop()


def test_a_bucket_is_written_in_parts_and_read_within_a_bound(bucket, tmp_path, monkeypatch):
    options = {"size": SIZE, "folder": str(tmp_path)}
    near = pathlib.Path(prepare(SPEC, prepared_dir=tmp_path / "near", workers=1, **options))
    for number in (2, 1):
        prepare_part(Part(number, 2), SPEC, prepared_dir=URL, workers=1, **options)
    assert finish_parts(SPEC, prepared_dir=URL, **options) == f"{URL}/tiny_files/1.0.0"
    names = [pathlib.PurePosixPath(name).name for name in bucket.find("bucket/data/tiny_files/1.0.0")]
    assert sorted(names) == sorted(path.name for path in near.iterdir())
    for name in names:
        assert bucket.cat_file(f"bucket/data/tiny_files/1.0.0/{name}") == (near / name).read_bytes()

    size = next(near.glob("*array_record*")).stat().st_size
    monkeypatch.setenv(far_files.LIMIT, str(2.5 * size / 1e9))
    for split in ("train", "val"):
        far, here = open_source(SPEC, URL, split), open_source(SPEC, tmp_path / "near", split)
        for index in range(COUNT):
            for key, value in here.read(index).items():
                np.testing.assert_array_equal(far.read(index)[key], value)
    kept = [path for path in (tmp_path / "cache").glob("*/*/*array_record*") if path.suffix != ".lock"]
    assert 0 < len(kept) <= 2


def test_a_bucket_that_is_not_there_is_one_line(bucket):
    with pytest.raises(ValueError, match=r"^'tiny_files' is not prepared in 's3://nowhere'"):
        open_source(SPEC, "s3://nowhere", "train")
