"""FND-CLIP: Zhou et al., ICME 2023 (docs/heads.md, 1)."""

import torch
from torch import Tensor, nn

from layers import Kind, Mapping, Noise, NormedClassifier, Step, cosine
from reference import LayerPool, LearnedSimilarity, ModalityAttention, SimilarityWeight


class Net(nn.Module):
    steps = [Kind()]

    def __init__(self, layers=13, bert=768, resnet=2048, resnet_classes=1000, clip=512, hidden=256, branch=64, dropout=0.5, variant="paper", **_):
        super().__init__()
        released = variant == "released"  # 20
        self.layer_pool = LayerPool(layers, bert, "released" if released else "softmax")
        self.resnet = nn.Linear(resnet, resnet_classes)
        self.text = Mapping(bert + clip, hidden, branch, dropout, 0)
        self.image = Mapping(resnet_classes + clip, hidden, branch, dropout, 1)
        self.fusion = Mapping(2 * clip, hidden, branch, dropout, 2)
        self.similarity = LearnedSimilarity() if released else SimilarityWeight()
        self.attention = ModalityAttention(3)
        self.classifier = NormedClassifier(branch, branch)

    def logits(self, batch: dict, noise: Noise | None) -> Tensor:
        tc, vc = batch["clip_text"], batch["clip_image"]
        ft = self.text(torch.cat([self.layer_pool(batch["bert"]), tc], 1), noise)
        fv = self.image(torch.cat([self.resnet(batch["resnet"]), vc], 1), noise)
        fm = self.fusion(torch.cat([tc, vc], 1), noise) * self.similarity(cosine(tc, vc))
        branches = torch.stack([ft, fv, fm], 1)
        return self.classifier((self.attention(branches).unsqueeze(2) * branches).sum(1))

    def forward(self, batch: dict) -> dict:
        return {"logits": self.logits(batch, None)}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        return Step(self.logits(batch, noise))
