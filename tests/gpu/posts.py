"""The posts that the check encodes: those of the kit, or generated ones."""

import json
from pathlib import Path

from place import ROOT, WORK, mmfnd

# Of the kit: a JSON object a line, `text` and `image`.
KIT = ROOT / "posts" / "posts.jsonl"
GENERATED = 200


def posts() -> list[dict]:
    """Texts, and absolute paths of their pictures."""
    file = KIT
    if not file.exists():
        file = WORK / "world" / "facts.jsonl"
        if not file.exists():
            mmfnd("world", "--unlabelled", "--posts", GENERATED, "--out", file.parent)
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [{"text": post["text"], "image": str(file.parent / post["image"])} for post in found]


def imported(name: str, times: int, first: int | None = None) -> Path:
    """A posts.parquet of the first posts (None: all), each `times` times: a number behind its text and bytes behind its picture make contents of their own of the repetitions."""
    folder = WORK / name
    if not (folder / "import.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "posts.jsonl", "w", encoding="utf-8") as manifest:
            for number, post in enumerate(posts()[:first]):
                picture = Path(post["image"])
                for again in range(times):
                    copy = folder / f"{number}-{again}{picture.suffix}"
                    copy.write_bytes(picture.read_bytes() + b"\0" * again)
                    text = f"{post['text']} {again}" if again else post["text"]
                    manifest.write(json.dumps({"id": f"{number}-{again}", "text": text, "image": copy.name}) + "\n")
        mmfnd("import", "manifest", folder / "posts.jsonl", "--out", folder)
    return folder / "posts.parquet"
