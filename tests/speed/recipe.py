"""The released recipe for texts: transformers, PyTorch, batches of 16, every text padded to 300 tokens. Prints the seconds of encoding; loading is not counted.

    python3 tests/speed/recipe.py POSTS PRESET LIMIT
"""

import json
import sys
import time
from pathlib import Path

import pyarrow.parquet as parquet
import torch
from transformers import BertTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "models"))

import checkpoints  # noqa: E402


def main():
    posts, preset, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
    manifest = json.loads((ROOT / "models" / preset / "manifest.json").read_text())
    torch.manual_seed(manifest["weights"].get("random_seed", 0))
    bert = checkpoints.build(checkpoints.PRESETS[preset], "random_seed" in manifest["weights"])[0]
    bert.set_attn_implementation("sdpa")
    tokenizer = BertTokenizerFast(tokenizer_file=str(ROOT / "models" / preset / "bert.tokenizer.json"))
    texts = parquet.read_table(posts, columns=["text"])["text"].to_pylist()[:limit]
    started = time.perf_counter()
    with torch.inference_mode():
        for start in range(0, len(texts), 16):
            inputs = tokenizer(texts[start : start + 16], return_tensors="pt", padding="max_length", truncation=True, max_length=300)
            torch.stack([states[:, 0] for states in bert(**inputs, output_hidden_states=True).hidden_states], dim=1)
    print(json.dumps({"texts": len(texts), "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
