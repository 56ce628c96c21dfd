"""The MMFND head in plain PyTorch: what the Rust head is checked against, and what loads a run's weights.safetensors by name.

Ma, Zhang, Liu, Zhang, "Multi-Task Network Guided Multimodal Fusion for Fake News Detection". Equation numbers are the paper's; item #n is row n of the table of
differences between the paper and the code that its authors released (github.com/diga7654321/MMFND), which also decided what the paper leaves open.

Letters: B batch, L encoder layers + 1, D feature, E experts per group, M = 3 branches, C = 2 classes (0 real, 1 fake).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VARIANTS = ("full", "multimodal-only", "text-only", "image-only", "w/o A", "w/o F", "w/o C", "w/o S", "w/o P")


@dataclass
class Config:
    """Sizes and options; the defaults are the paper's."""

    layers: int = 13
    d_bert: int = 768
    d_resnet: int = 2048
    d_clip: int = 512
    d_logits: int = 1000  # ResNet's classes
    d_hidden: int = 512  # of the projection
    d_projection: int = 256  # experts read and write this width
    d_fusion: int = 256  # hidden width of the fusion
    d_branch: int = 64
    experts: int = 3  # in each task group
    shared_experts: int = 3
    levels: int = 2
    dropout: float = 0.5
    variant: str = "full"
    routing: str = "paper"  # 1: paper | released
    similarity: str = "running"  # 2: running | learned
    frozen_experts: bool = False  # 3: the released code trains group B, gate B and the shared gates only
    pooling: str = "softmax"  # 4: softmax | query | last | released
    fusion: str = "concat"  # 5: concat | sum
    classifier: str = "paper"  # 9: paper | released

    def __post_init__(self):
        assert self.variant in VARIANTS, self.variant

    @property
    def d_clip_in(self) -> int:
        """Width of CLIP in Eq. 1: none without CLIP."""
        return 0 if self.variant == "w/o C" else self.d_clip


class Norm(nn.BatchNorm1d):
    """BatchNorm1d; a batch with one post (with masks: one post that has the modality) has no variance, and is normalised as at inference."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class LayerPool(nn.Module):
    """Step 1: one vector per post from the [CLS] of every layer of BERT (item 4)."""

    def __init__(self, layers: int, d: int, pooling: str = "softmax"):
        super().__init__()
        self.pooling = pooling
        if pooling in ("softmax", "released"):
            self.weight = nn.Parameter(torch.zeros(layers))
        elif pooling == "query":
            self.query = nn.Parameter(torch.zeros(d))

    def forward(self, layers: Tensor) -> Tensor:  # [B, L, D] -> [B, D]
        if self.pooling == "last":
            return layers[:, -1]
        if self.pooling == "query":
            alpha = (layers @ self.query / layers.shape[2] ** 0.5).softmax(dim=1)  # [B, L]
            return (alpha.unsqueeze(2) * layers).sum(dim=1)
        if self.pooling == "released":  # the sum runs over the batch: a prediction depends on its batch mates
            alpha = (self.weight * layers.sum(dim=(0, 2))).softmax(dim=0)
        else:
            alpha = self.weight.softmax(dim=0)
        return (alpha.view(1, -1, 1) * layers).sum(dim=1)


class Projection(nn.Module):
    """Step 4."""

    def __init__(self, d_input: int, d_hidden: int, d_output: int, dropout: float):
        super().__init__()
        self.linear1 = nn.Linear(d_input, d_hidden)
        self.norm1 = Norm(d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(d_hidden, d_output)
        self.norm2 = Norm(d_output)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(F.relu(self.norm1(self.linear1(x))))
        return F.relu(self.norm2(self.linear2(x)))


class Expert(nn.Module):
    """Step 5: two layers, each with its ReLU."""

    def __init__(self, d: int):
        super().__init__()
        self.linear1 = nn.Linear(d, d)
        self.linear2 = nn.Linear(d, d)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.linear2(F.relu(self.linear1(x))))


class Group(nn.Module):
    """Experts that read the same stream."""

    def __init__(self, d: int, experts: int):
        super().__init__()
        self.experts = nn.ModuleList(Expert(d) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:  # [B, D] -> [B, E, D]
        return torch.stack([expert(x) for expert in self.experts], dim=1)


def mix(gate: nn.Linear, selector: Tensor, experts: Tensor) -> Tensor:
    """Weighs experts [B, E, D] by the gate's softmax over its selector [B, D]."""
    return (gate(selector).softmax(dim=1).unsqueeze(2) * experts).sum(dim=1)


class Level(nn.Module):
    """One extraction level: groups A (unimodal), S (shared), B (cross-modal), and their gates."""

    def __init__(self, d: int, experts: int, shared_experts: int, last: bool):
        super().__init__()
        self.unimodal = Group(d, experts)
        self.shared = Group(d, shared_experts)
        self.cross_modal = Group(d, experts)
        self.unimodal_gate = nn.Linear(d, experts + shared_experts)
        self.cross_modal_gate = nn.Linear(d, experts + shared_experts)
        self.shared_gate = None if last else nn.Linear(d, 2 * experts + shared_experts)

    def forward(self, x_a: Tensor, x_s: Tensor, x_b: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        a, s, b = self.unimodal(x_a), self.shared(x_s), self.cross_modal(x_b)
        unimodal = mix(self.unimodal_gate, x_a, torch.cat([a, s], dim=1))
        cross_modal = mix(self.cross_modal_gate, x_b, torch.cat([b, s], dim=1))
        shared = None if self.shared_gate is None else mix(self.shared_gate, x_s, torch.cat([a, s, b], dim=1))
        return unimodal, shared, cross_modal


class Ple(nn.Module):
    """Progressive layered extraction (Tang et al. 2020) for one modality with two tasks."""

    def __init__(self, d: int, experts: int, shared_experts: int, levels: int):
        super().__init__()
        self.levels = nn.ModuleList(Level(d, experts, shared_experts, last=i + 1 == levels) for i in range(levels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        streams = (x, x, x)
        for level in self.levels:
            streams = level(*streams)
        unimodal, _, cross_modal = streams
        return unimodal, cross_modal


class Mapping(nn.Module):
    """Step 6: a branch's last two layers (dropout only in the ablation w/o P)."""

    def __init__(self, d_input: int, d_hidden: int, d_output: int, dropout: float = 0.0):
        super().__init__()
        self.linear1 = nn.Linear(d_input, d_hidden)
        self.norm1 = Norm(d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(d_hidden, d_output)
        self.norm2 = Norm(d_output)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(F.relu(self.norm1(self.linear1(x))))
        return F.relu(self.norm2(self.linear2(x)))


class SimilarityWeight(Norm):
    """Step 7, Eqs. 4 and 5: sigmoid of the standardised similarity (item 2, paper)."""

    def __init__(self):
        super().__init__(1, affine=False)

    def forward(self, similarity: Tensor) -> Tensor:  # [B] -> [B, 1]
        return super().forward(similarity.unsqueeze(1)).sigmoid()


class LearnedSimilarity(nn.Module):
    """Step 7 as released (item 2): an affine map without a sigmoid."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(1))
        self.bias = nn.Parameter(torch.rand(1))

    def forward(self, similarity: Tensor) -> Tensor:  # [B] -> [B, 1]
        return (similarity * self.weight + self.bias).unsqueeze(1)


class ModalityAttention(nn.Module):
    """Step 8, Eq. 7: CBAM's channel attention over the branches."""

    def __init__(self, branches: int):
        super().__init__()
        self.linear1 = nn.Linear(branches, branches)
        self.linear2 = nn.Linear(branches, branches)

    def score(self, pooled: Tensor) -> Tensor:
        return self.linear2(F.gelu(self.linear1(pooled)))

    def forward(self, branches: Tensor) -> Tensor:  # [B, M, D] -> [B, M]
        return (self.score(branches.mean(dim=2)) + self.score(branches.amax(dim=2))).sigmoid()


class Classifier(nn.Module):
    """Step 9, Eq. 8."""

    def __init__(self, d_input: int, d_hidden: int):
        super().__init__()
        self.linear1 = nn.Linear(d_input, d_hidden)
        self.linear2 = nn.Linear(d_hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(F.relu(self.linear1(x)))


class ReleasedClassifier(nn.Module):
    """Step 9 as released (item 9)."""

    def __init__(self, d_input: int, d_hidden: int):
        super().__init__()
        self.linear1 = nn.Linear(d_input, d_hidden)
        self.norm1 = Norm(d_hidden)
        self.linear2 = nn.Linear(d_hidden, d_hidden)
        self.norm2 = Norm(d_hidden)
        self.linear3 = nn.Linear(d_hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.linear1(x)))
        return self.linear3(F.relu(self.norm2(self.linear2(x))))


class Mmfnd(nn.Module):
    """The whole head. A part that the variant does not use is absent, in the module tree and in the weights."""

    def __init__(self, c: Config):
        super().__init__()
        self.config = c
        text, image = c.variant != "image-only", c.variant != "text-only"
        unimodal, ple = c.variant != "multimodal-only", c.variant != "w/o P"
        cross = c.variant not in ("text-only", "image-only", "w/o F")
        if text:
            self.layer_pool = LayerPool(c.layers, c.d_bert, c.pooling)
            self.text_projection = Projection(c.d_bert + c.d_clip_in, c.d_hidden, c.d_projection, c.dropout)
        if image:
            self.resnet = nn.Linear(c.d_resnet, c.d_logits)
            self.image_projection = Projection(c.d_logits + c.d_clip_in, c.d_hidden, c.d_projection, c.dropout)
        if text and ple:
            self.text_ple = Ple(c.d_projection, c.experts, c.shared_experts, c.levels)
        if image and ple:
            self.image_ple = Ple(c.d_projection, c.experts, c.shared_experts, c.levels)
        if text and unimodal:
            self.text_mapping = Mapping(c.d_projection, c.d_branch, c.d_branch)
        if image and unimodal:
            self.image_mapping = Mapping(c.d_projection, c.d_branch, c.d_branch)
        if cross and ple:
            self.fusion = Mapping(c.d_projection * (1 if c.fusion == "sum" else 2), c.d_fusion, c.d_branch)
        elif cross:
            self.fusion = Mapping(2 * c.d_clip, c.d_fusion, c.d_branch, c.dropout)
        if c.variant in ("full", "w/o P"):
            self.similarity = SimilarityWeight() if c.similarity == "running" else LearnedSimilarity()
        if c.variant in ("full", "w/o C", "w/o S", "w/o P", "w/o F"):
            self.attention = ModalityAttention(2 if c.variant == "w/o F" else 3)
        d_aggregate = c.d_branch * (3 if c.variant == "w/o A" else 1)
        self.classifier = (Classifier if c.classifier == "paper" else ReleasedClassifier)(d_aggregate, c.d_branch)
        if c.frozen_experts:
            self.freeze()

    def freeze(self):
        """Item 3: in the released code the groups A and S and gate A are no registered modules, so they keep their initial values."""
        for ple in ("text_ple", "image_ple"):
            for level in getattr(self, ple).levels if hasattr(self, ple) else ():
                for part in (level.unimodal, level.shared, level.unimodal_gate):
                    part.requires_grad_(False)

    def part(self, name: str):
        return getattr(self, name, None)

    def text(self, bert: Tensor, clip_text: Tensor, clip_image: Tensor) -> tuple[Tensor, Tensor]:
        """Steps 1 and 3 to 5 of the text branch: (unimodal, cross-modal) [B, D]."""
        clip = clip_image if self.config.routing == "released" else clip_text  # item 1
        x = self.layer_pool(bert)
        x = torch.cat([x, clip], dim=1) if self.config.d_clip_in else x  # Eq. 1
        x = self.text_projection(x)
        return self.text_ple(x) if self.part("text_ple") else (x, x)

    def image(self, resnet: Tensor, clip_text: Tensor, clip_image: Tensor) -> tuple[Tensor, Tensor]:
        """Steps 2 to 5 of the image branch: (unimodal, cross-modal) [B, D]."""
        clip = clip_text if self.config.routing == "released" else clip_image  # item 1
        x = self.resnet(resnet)
        x = torch.cat([x, clip], dim=1) if self.config.d_clip_in else x  # Eq. 1
        x = self.image_projection(x)
        return self.image_ple(x) if self.part("image_ple") else (x, x)

    def fuse(self, cross_text: Tensor, cross_image: Tensor, clip_text: Tensor, clip_image: Tensor) -> Tensor:
        """f^m of step 6."""
        if not self.part("text_ple"):
            return self.fusion(torch.cat([clip_text, clip_image], dim=1))
        if self.config.fusion == "sum":
            return self.fusion(cross_text + cross_image)  # Eq. 2, item 5
        return self.fusion(torch.cat([cross_text, cross_image], dim=1))

    def forward(
        self, bert: Tensor, resnet: Tensor, clip_text: Tensor, clip_image: Tensor, has_text: Tensor | None = None, has_image: Tensor | None = None
    ) -> dict[str, Tensor]:
        """bert [B, L, D], resnet [B, R], clip_* [B, d_c]; the result has `logits` [B, C] and the steps on the way to them.

        Item 14: where `has_text` or `has_image` [B] is false, the features of that modality are never read. A branch runs over the posts that have what it reads (the cross-modal one: both), so
        that its statistics are those of these posts; elsewhere it is absent: zero in the result, without attention, and without a part in what the attention or the classifier reads.
        """
        b = len(bert)
        assert self.config.routing == "paper" or has_text is has_image is None, "as released, the text branch reads CLIP's picture"
        yes = torch.ones(b, dtype=torch.bool)
        t, v = (yes if has is None else has for has in (has_text, has_image))
        both = t & v
        spread = lambda x, at: torch.zeros(b, *x.shape[1:]).index_put((at.nonzero().flatten(),), x)
        text = image = None
        if self.part("text_projection") and t.any():
            text = self.text(bert[t], clip_text[t], clip_image[t])
        if self.part("image_projection") and v.any():
            image = self.image(resnet[v], clip_text[v], clip_image[v])
        out, branches = {}, []
        similarity = F.cosine_similarity(clip_text[both], clip_image[both], dim=1)  # Eq. 3  [B]
        out["similarity"] = spread(similarity, both)
        if self.part("text_mapping"):
            f = spread(self.text_mapping(text[0]), t) if text else torch.zeros(b, self.config.d_branch)
            out["text_unimodal"] = f  # f^t
            branches.append((f, t))
        if self.part("image_mapping"):
            f = spread(self.image_mapping(image[0]), v) if image else torch.zeros(b, self.config.d_branch)
            out["image_unimodal"] = f  # f^v
            branches.append((f, v))
        if self.part("fusion"):
            fused = cross_modal = torch.zeros(0, self.config.d_branch)
            if both.any():
                fused = self.fuse(text[1][both[t]], image[1][both[v]], clip_text[both], clip_image[both])
                weight = self.similarity(similarity) if self.part("similarity") else 1.0  # Eqs. 4, 5
                cross_modal = weight * fused  # Eq. 6
            out["fused"], out["cross_modal"] = spread(fused, both), spread(cross_modal, both)  # f^m, f^cross
            branches.append((out["cross_modal"], both))
        if self.part("attention"):
            stacked = torch.stack([f for f, _ in branches], dim=1)  # F  [B, M, D]
            there = torch.stack([at for _, at in branches], dim=1)  # [B, M]
            out["attention"] = self.attention(stacked) * there  # Eq. 7  [B, M]
            out["aggregate"] = (out["attention"].unsqueeze(2) * stacked).sum(dim=1)
        else:
            out["aggregate"] = torch.cat([f for f, _ in branches], dim=1)
        out["logits"] = self.classifier(out["aggregate"])  # Eq. 8
        return out


class Concat(nn.Module):
    """What the baselines read: features side by side, each number standardised. Where a post lacks a modality, its part is zero behind the norm."""

    def __init__(self, layers: int, widths: dict[str, int], pooling: str = "last"):
        super().__init__()
        if "bert" in widths:
            self.layer_pool = LayerPool(layers, widths["bert"], pooling)
        self.norms = nn.ModuleList(Norm(d) for d in widths.values())
        self.widths = widths

    def forward(self, features: dict[str, Tensor], has_text: Tensor, has_image: Tensor) -> Tensor:
        parts = []
        for (name, d), norm in zip(self.widths.items(), self.norms):
            there = has_text if name in ("bert", "clip_text") else has_image
            x = features[name][there]
            x = norm(self.layer_pool(x) if name == "bert" else x)
            parts.append(torch.zeros(len(there), d).index_put((there.nonzero().flatten(),), x))
        return torch.cat(parts, dim=1)


class LinearProbe(nn.Module):
    """The head `linear`."""

    def __init__(self, layers: int, widths: dict[str, int], pooling: str):
        super().__init__()
        self.features = Concat(layers, widths, pooling)
        self.linear = nn.Linear(sum(widths.values()), 2)

    def forward(self, *inputs) -> Tensor:
        return self.linear(self.features(*inputs))


class ConcatMlp(nn.Module):
    """The head `mlp`."""

    def __init__(self, layers: int, widths: dict[str, int], pooling: str, hidden: int, dropout: float = 0.0):
        super().__init__()
        self.features = Concat(layers, widths, pooling)
        self.linear1 = nn.Linear(sum(widths.values()), hidden)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(hidden, 2)

    def forward(self, *inputs) -> Tensor:
        return self.linear2(self.dropout(F.relu(self.linear1(self.features(*inputs)))))


def weights(module: nn.Module) -> dict[str, Tensor]:
    """What weights.safetensors holds: parameters and running statistics; batches are not counted."""
    return {name: t.detach().clone() for name, t in module.state_dict().items() if not name.endswith("num_batches_tracked")}


def load(module: nn.Module, tensors: dict[str, Tensor]):
    """Loads weights by name; a missing, unknown or misshapen one is an error."""
    counters = {name: t for name, t in module.state_dict().items() if name.endswith("num_batches_tracked")}
    module.load_state_dict({**tensors, **counters}, strict=True)
