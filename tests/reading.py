"""Reads the file that a run of W&B leaves on the disk: a LevelDB log of protobuf records."""

import json
import struct
import time

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, MAGIC = 32768, b":W&B\xe1\xbe\x00"  # the file's first bytes, where a LevelDB log has none
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4  # whether a chunk is a whole record


def records_of(path):
    """All records of a .wandb file."""
    content = path.read_bytes()
    assert content.startswith(MAGIC)
    at, parts = len(MAGIC), []
    while at + 7 <= len(content):
        left = BLOCK - at % BLOCK
        if left < 7:  # padding
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        parts.append(content[at + 7 : at + 7 + length])
        at += 7 + length
        assert kind in (FULL, FIRST, MIDDLE, LAST)
        if kind in (FULL, LAST):
            record = Record()
            record.ParseFromString(b"".join(parts))
            yield record
            parts = []


def finished(path):
    """The records of a run that has ended; the process that writes them may be a moment behind."""
    for _ in range(100):
        records = list(records_of(path))
        if any(record.WhichOneof("record_type") == "exit" for record in records):
            return records
        time.sleep(0.1)
    raise AssertionError(f"{path} has no end")


def files_of(run_dir):
    """The .wandb files of a run directory, one for each session, oldest first."""
    return sorted(run_dir.glob("wandb/offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime_ns)


def history_of(records):
    """What was logged: a dict for each row."""
    rows = []
    for record in records:
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items})
    return rows


def metrics_of(records):
    """How metrics were defined: name or pattern -> the record."""
    found = [record.metric for record in records if record.WhichOneof("record_type") == "metric"]
    return {metric.name or metric.glob_name: metric for metric in found}


def summary_of(records):
    """The summary at the end: key -> value, a nested key in one with dots."""
    summary = {}
    for record in records:
        if record.WhichOneof("record_type") == "summary":
            for item in record.summary.update:
                summary[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
    return summary


def artifacts_of(records):
    """The artifacts: a record for each, with the kind `artifact`."""
    kinds = [(record.WhichOneof("record_type"), record) for record in records]
    logged = [record.artifact for kind, record in kinds if kind == "artifact"]
    requests = [record.request for kind, record in kinds if kind == "request"]
    return logged + [r.log_artifact.artifact for r in requests if r.WhichOneof("request_type") == "log_artifact"]
