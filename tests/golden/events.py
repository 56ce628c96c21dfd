"""Writes events.tfevents with the package `tensorboard`, or reads the event files of a run with it.

    python3 tests/golden/events.py
    python3 tests/golden/events.py RUN      # prints every figure that TensorBoard finds in RUN/tensorboard

The program's own writer gives the same bytes as TensorBoard's for the same events.
"""

import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

HERE = Path(__file__).resolve().parent
START = 1_700_000_000.0


def write(path: Path):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=START, file_version="brain.Event:2").SerializeToString())
        for step in [1, 2, 300]:
            figures = {"loss/train": 1 / step, "accuracy/validation": 0.5 + step / 1000}
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]
            writer.write(Event(wall_time=START + step / 4, step=step, summary=Summary(value=values)).SerializeToString())
        writer.flush()


def read(run: Path):
    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    tags = found.Tags()["scalars"]
    if not tags:
        raise SystemExit(f"TensorBoard finds nothing in {run}")
    for tag in tags:
        print(tag, *(f"{event.step}:{event.value:.4f}" for event in found.Scalars(tag)))


if __name__ == "__main__":
    read(Path(sys.argv[1])) if len(sys.argv) > 1 else write(HERE / "events.tfevents")
