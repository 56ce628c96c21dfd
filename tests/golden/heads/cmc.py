"""CMC: Wei et al., ICASSP 2022 (docs/heads.md, 8)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import Kind, Noise, Step, last, unit

TEMPERATURE = 0.07


class Single(nn.Module):
    """The network of one modality."""

    def __init__(self, d: int, hidden: int, projection: int):
        super().__init__()
        self.hidden, self.out, self.projection = nn.Linear(d, hidden), nn.Linear(hidden, 2), nn.Linear(hidden, projection)


class Net(nn.Module):
    stages = [
        [Kind("teach", lambda name: name.startswith(("text.", "image.")), 0.0)],
        [Kind("fuse", lambda name: name.startswith("fusion."))],
    ]

    def __init__(self, bert=768, resnet=2048, hidden=256, projection=128, contrast=0.3, negatives=1500, variant="paper", **_):
        super().__init__()
        self.text, self.image = Single(bert, hidden, projection), Single(resnet, hidden, projection)
        self.fusion = nn.Linear(2 * hidden, 2)
        self.contrast, self.negatives = contrast, negatives
        if variant == "released":  # 35
            for part in (self.text, self.image):
                part.projection.requires_grad_(False)

    def hidden(self, batch: dict) -> tuple[Tensor, Tensor]:
        return F.relu(self.text.hidden(last(batch))), F.relu(self.image.hidden(batch["resnet"]))

    def both(self, ht: Tensor, hv: Tensor) -> tuple[Tensor, Tensor]:
        return self.text.out(ht), self.image.out(hv)

    def forward(self, batch: dict, stage: int = 1) -> dict:
        ht, hv = self.hidden(batch)
        pt, pv = (x.softmax(1) for x in self.both(ht, hv))
        logits = ((pt + pv) / 2).log() if stage == 0 else self.fusion(torch.cat([hv, ht], 1))
        return {"logits": logits, "p_fake_text": pt[:, 1], "p_fake_image": pv[:, 1]}

    def step(self, name: str, batch: dict, noise: Noise, memory: dict) -> Step:
        ht, hv = self.hidden(batch)
        if name == "fuse":
            return Step(self.fusion(torch.cat([hv, ht], 1).detach()))
        lt, lv = self.both(ht, hv)
        y = batch["label"]
        contrast = self.contrasts(batch, unit(self.text.projection(ht)), unit(self.image.projection(hv)), noise, memory)
        losses = [("text", 1.0, F.cross_entropy(lt, y)), ("image", 1.0, F.cross_entropy(lv, y)), ("contrast", self.contrast, contrast)]
        return Step(((lt.softmax(1) + lv.softmax(1)) / 2).log(), losses)

    def contrasts(self, batch: dict, qt: Tensor, qv: Tensor, noise: Noise, memory: dict) -> Tensor:
        classes, n = memory["classes"], len(memory["text"])
        k = min(self.negatives, *(len(members) for members in classes))
        others = [1 - y for y in batch["label"].tolist()]
        drawn = noise.draws(0, classes, others, k)
        index = torch.tensor([[i, *j] for i, j in zip(batch["post"].tolist(), drawn)])  # [B, K + 1]
        kappa, total = k / n, 0
        for mode, q, bank in (("image", qv, memory["text"]), ("text", qt, memory["image"])):
            e = ((bank[index] @ q.unsqueeze(2)).squeeze(2) / TEMPERATURE).exp()
            if f"scale_{mode}" not in memory:
                memory[f"scale_{mode}"] = n * e.mean().detach()
            p = e / memory[f"scale_{mode}"]
            total = total + (-(p[:, 0] / (p[:, 0] + kappa)).log() - (kappa / (p[:, 1:] + kappa)).log().sum(1)).mean()
        for name, q in (("text", qt), ("image", qv)):
            rows = batch["post"]
            memory[name] = memory[name].clone()
            memory[name][rows] = unit((memory[name][rows] + q.detach()) / 2)
        return total
