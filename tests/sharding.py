"""Small sets of shards, in a folder and behind a web server."""

import re
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
from PIL import Image

from colorgan.data.folder import ImageFolder
from colorgan.data.module import PhotographDataModule
from colorgan.data.shards import write_shards
from colorgan.data.stream import ShardedImages
from tests.test_batches import FakeTrainer, Node


def make_folder(folder, train=40, val=6):
    """A folder that is split, of photographs in two classes."""
    for i in range(train + val):
        path = folder / ("train" if i < train else "val") / ("sea", "wood")[i % 2] / f"{i}.v1.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(i).integers(0, 256, (6, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((60, 48), Image.Resampling.BICUBIC).save(path, quality=90)
    return folder


def splits(folder):
    return {"train": ImageFolder(folder, True), "val": ImageFolder(folder, False)}


def make_shards(tmp_path, shard_bytes=20_000, **counts):
    """Shards of about five photographs."""
    write_shards(splits(make_folder(tmp_path / "folder", **counts)), tmp_path / "set", shard_bytes)
    return tmp_path / "set"


@contextmanager
def serve(folder):
    """Serve a folder; yields its URL and a function that returns the names of the files asked for so far.

    The server is a process of its own: forked workers would inherit its socket, and keep it open when it is gone.
    """
    log = folder.parent / "requests"
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with (
        open(log, "w") as requests,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=requests, text=True) as server,
    ):
        try:
            port = re.search(r"port (\d+)", server.stdout.readline())[1]
            yield f"http://127.0.0.1:{port}", lambda: re.findall(r'"GET /(\S+)', log.read_text())
        finally:
            server.terminate()


def module(root, rank=None, seed=0, **node):
    """A data module of shards, in a process of rank `rank` of two."""
    data = PhotographDataModule(lambda train: ShardedImages(root, train), Node(**{"cache": "none", **node}), seed)
    if rank is not None:
        data.trainer = FakeTrainer(rank)
    return data


def order(loader):
    """The indices of the pictures of an epoch."""
    return [i for batch in loader for i in batch["index"].tolist()]
