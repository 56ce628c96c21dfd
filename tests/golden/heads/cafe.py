"""CAFE: Chen et al., WWW 2022 (docs/heads.md, 4)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import Kind, Mapping, Noise, NormedClassifier, Step, TwoLayers, cosine, pooled, posts

KERNELS = (1, 2, 4, 8)


class Encoder(nn.Module):
    def __init__(self, bert, resnet, filters, text_hidden, image_hidden, width, dropout, place):
        super().__init__()
        for k in KERNELS:
            setattr(self, f"conv{k}", nn.Conv1d(bert, filters, k))
            setattr(self, f"norm{k}", nn.BatchNorm1d(filters))
        self.text = Mapping(4 * filters, text_hidden, width, dropout, place)
        self.image = Mapping(resnet, image_hidden, width, dropout, place + 1)

    def forward(self, batch: dict, noise: Noise | None) -> tuple[Tensor, Tensor]:
        c = [pooled(getattr(self, f"conv{k}"), batch["tokens"], F.relu, getattr(self, f"norm{k}")) for k in KERNELS]
        return self.text(torch.cat(c, 1), noise), self.image(batch["resnet"], noise)


class Align(nn.Module):
    def __init__(self, encoder: Encoder, width: int, shared: int):
        super().__init__()
        self.encoder = encoder
        self.text, self.image = Mapping(width, width, shared), Mapping(width, width, shared)

    def forward(self, batch: dict, noise: Noise | None) -> tuple[Tensor, Tensor]:
        t, v = self.encoder(batch, noise)
        return self.text(t), self.image(v)


class Posterior(nn.Module):
    def __init__(self, shared: int, latent: int):
        super().__init__()
        self.text, self.image = TwoLayers(shared, shared, 2 * latent), TwoLayers(shared, shared, 2 * latent)

    def forward(self, t: Tensor, v: Tensor, noise: Noise | None) -> Tensor:
        (mt, rt), (mv, rv) = self.text(t).chunk(2, 1), self.image(v).chunk(2, 1)
        st, sv = F.softplus(rt) + 1e-7, F.softplus(rv) + 1e-7
        if noise is not None:  # 25: one sample of each
            zt, zv = mt + st * noise.normals(4, mt.shape), mv + sv * noise.normals(5, mv.shape)
            log = lambda z, m, s: -((z - m) / s).square() / 2 - s.log()
            return ((log(zt, mt, st) - log(zt, mv, sv) + log(zv, mv, sv) - log(zv, mt, st)).sum(1) / 2).sigmoid()
        d = (mt - mv).square()
        skl = ((st**2 + d) / (2 * sv**2) + (sv**2 + d) / (2 * st**2) - 1).sum(1) / 2
        return skl.sigmoid()


class Cross(nn.Module):
    def __init__(self, shared: int):
        super().__init__()
        self.linear1, self.norm1 = nn.Linear(shared, shared), nn.BatchNorm1d(shared)

    def forward(self, t: Tensor, v: Tensor) -> Tensor:
        scores = t.unsqueeze(2) * v.unsqueeze(1) / t.shape[1] ** 0.5  # / 8 at width 64
        r = scores.softmax(2).amax(2)
        return F.relu(self.norm1(self.linear1(r)))


class Net(nn.Module):
    steps = [Kind("align", lambda name: name.startswith("align."), 0.0), Kind("detect", lambda name: not name.startswith("align."))]

    def __init__(self, bert=768, resnet=2048, filters=32, text_hidden=64, image_hidden=256, width=128, shared=64, branch=16, hidden=64, dropout=0.5, variant="paper", **_):
        super().__init__()
        encoder = lambda place: Encoder(bert, resnet, filters, text_hidden, image_hidden, width, dropout, place)
        self.align = Align(encoder(0), width, shared)
        self.encoder = encoder(2)
        self.posterior = Posterior(shared, 2)
        self.released = variant == "released"
        self.text, self.image = Mapping(width, width, branch), Mapping(width, width, branch)
        self.cross = Cross(shared)
        self.classifier = NormedClassifier(2 * branch + shared, hidden)

    def detect(self, batch: dict, noise: Noise | None) -> tuple[Tensor, Tensor]:
        t, v = (x.detach() for x in self.align(batch, noise))
        alpha = self.posterior(t, v, noise if self.released else None).unsqueeze(1)
        et, ev = self.encoder(batch, noise)
        parts = [(1 - alpha) * self.text(et), (1 - alpha) * self.image(ev), alpha * self.cross(t, v)]
        return self.classifier(torch.cat(parts, 1)), alpha.squeeze(1)

    def forward(self, batch: dict) -> dict:
        logits, ambiguity = self.detect(batch, None)
        return {"logits": logits, "ambiguity": ambiguity}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step | None:
        if name == "detect":
            return Step(self.detect(batch, noise)[0])
        real = [i for i, y in enumerate(batch["label"].tolist()) if y == 0]
        n = len(real)
        if n < 4:
            return None
        t, v = self.align(posts(batch, real), noise)
        pairs = [1 - cosine(t[i], v[i]) for i in range(n)]
        for i in range(n):
            j = (i - 3) % n
            if batch["picture"][real[i]] != batch["picture"][real[j]]:
                pairs.append(cosine(t[i], v[j]).clamp_min(0))
        return Step(None, [("align", 1.0, torch.stack(pairs).mean())])
