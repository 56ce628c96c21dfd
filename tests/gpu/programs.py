"""The programs of the check, built by cargo."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import llvm
from place import ROOT, WORK

PROGRAMS = {"mmfnd": "--bin", "dump": "--example", "made_up_store": "--example", "train": "--bench", "golden": "--test"}


def build(folder: Path, with_cuda: bool):
    """Builds them all and puts them into a folder."""
    options = ["--features", "cuda"] if with_cuda else []
    named = [word for name, kind in PROGRAMS.items() for word in (kind, name)]
    command = ["cargo", "build", "--release", "--locked", "-p", "mmfnd", "-p", "mmfnd-encode", "-p", "mmfnd-train", *options, *named, "--message-format", "json-render-diagnostics"]
    environment = {**os.environ, "XDG_DATA_HOME": str(llvm.data_folder(WORK))} if with_cuda else os.environ
    said = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    built = {message["target"]["name"]: message["executable"] for message in map(json.loads, said.splitlines()) if message.get("executable")}
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        place = folder / name
        place.unlink(missing_ok=True)
        shutil.copy2(built[name], place)
