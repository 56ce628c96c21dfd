"""MVAE: Khattar et al., WWW 2019 (docs/heads.md, 7)."""

import torch
from torch import Tensor, nn

from layers import Kind, Noise, Step, last


class Tanh(nn.Module):
    """Linear maps with tanh between them; after the last one too where it is asked for."""

    def __init__(self, *widths: int, ends: bool):
        super().__init__()
        self.count, self.ends = len(widths) - 1, ends
        for i, (a, b) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"linear{i + 1}", nn.Linear(a, b))

    def forward(self, x: Tensor) -> Tensor:
        for i in range(self.count):
            x = getattr(self, f"linear{i + 1}")(x)
            x = x.tanh() if i + 1 < self.count or self.ends else x
        return x


class Net(nn.Module):
    steps = [Kind()]

    def __init__(self, bert=768, resnet=2048, vgg=4096, text_hidden=64, image_hidden=1024, single=32, latent=64, variant="paper", inputs="frozen", **_):
        super().__init__()
        self.faithful = inputs == "faithful"
        image = vgg if self.faithful else resnet
        self.text_norm, self.image_norm = nn.BatchNorm1d(bert, affine=False), nn.BatchNorm1d(image, affine=False)
        self.text, self.image = Tanh(bert, text_hidden, single, ends=True), Tanh(image, image_hidden, single, ends=True)
        self.shared = nn.Linear(2 * single, latent)
        self.mean, self.log_variance = nn.Linear(latent, latent), nn.Linear(latent, latent)
        self.text_decoder = Tanh(latent, single, text_hidden, bert, ends=False)
        self.image_decoder = Tanh(latent, single, image_hidden, image, ends=False)
        self.classifier = Tanh(latent, latent, single, 2, ends=False)
        self.deviation = 0.01 if variant == "released" else 1.0  # 33

    def encode(self, batch: dict) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        image = batch["vgg"].relu() if self.faithful else batch["resnet"]
        t, v = self.text_norm(last(batch)), self.image_norm(image)
        h = self.shared(torch.cat([self.text(t), self.image(v)], 1)).tanh()
        return t, v, self.mean(h), self.log_variance(h)

    def errors(self, z: Tensor, t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return (self.text_decoder(z) - t.detach()).square().mean(1), (self.image_decoder(z) - v.detach()).square().mean(1)

    def forward(self, batch: dict) -> dict:
        t, v, z, _ = self.encode(batch)
        text, image = self.errors(z, t, v)
        return {"logits": self.classifier(z), "error_text": text, "error_image": image}

    def step(self, name: str, batch: dict, noise: Noise | None, memory: dict) -> Step:
        t, v, mean, rho = self.encode(batch)
        z = mean if noise is None else mean + (rho / 2).exp() * (noise.normals(0, mean.shape) * self.deviation)
        text, image = self.errors(z, t, v)
        kl = -(1 + rho - mean.square() - rho.exp()).mean() / 2
        return Step(self.classifier(z), [("text", 1.0, text.mean()), ("image", 1.0, image.mean()), ("kl", 1.0, kl)])
