"""Holds tests/golden/reference.py against the modules that the authors of MMFND published, and writes the last section of docs/parity.md.

    git clone https://github.com/diga7654321/MMFND AUTHORS
    python3 tests/parity/released.py AUTHORS          # needs tests/golden/requirements.txt and torchvision

AUTHORS holds their `ple.py` and `mynetwork_ple.py`, which are imported from there; nothing of them is part of this project. They ask for a GPU and for ResNet-101's weights: here `cuda()` changes nothing, and
of ResNet-101 only its last layer is there, since that is where our head begins. Ends with 1 when something is further apart than it may be.
"""

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "golden"))

from export import randomise  # noqa: E402
from reference import Config, Level, Mmfnd, Ple, Projection  # noqa: E402

HEADING = "## The reference in PyTorch, against the authors' published modules"
LIMIT = 1e-9  # of the largest value of a tensor
LAYERS, B, STEPS = 13, 16, 10
RELEASED = Config(
    layers=LAYERS, d_clip=1024, d_projection=256, routing="released", similarity="learned", frozen_experts=True, pooling="released", classifier="released"
)


def import_authors(folder: Path):
    nn.Module.cuda = lambda self, device=None: self
    torchvision.models.resnet101 = lambda **_: nn.Linear(RELEASED.d_resnet, RELEASED.d_logits)
    sys.path.insert(0, str(folder))
    import mynetwork_ple
    import ple

    return ple, mynetwork_ple


class Pairs:
    """Our modules that hold weights, each with the authors' that does the same."""

    def __init__(self):
        self.pairs: list[tuple[nn.Module, nn.Module]] = []

    def sequence(self, ours: nn.Module, names: list[str], theirs: nn.Sequential):
        with_weights = [m for m in theirs if isinstance(m, (nn.Linear, nn.BatchNorm1d))]
        assert len(names) == len(with_weights)
        self.pairs += zip((getattr(ours, name) for name in names), with_weights)

    def level(self, ours: Level, theirs: nn.Module):
        for group, experts in ((ours.unimodal, theirs.Experts_A), (ours.shared, theirs.Experts_Shared), (ours.cross_modal, theirs.Experts_B)):
            for our, their in zip(group.experts, experts, strict=True):
                self.sequence(our, ["linear1", "linear2"], their.dnn_layer)
        self.pairs.append((ours.unimodal_gate, theirs.Task_Gates[0][0]))
        self.pairs.append((ours.cross_modal_gate, theirs.Task_Gates[1][0]))
        if ours.shared_gate is not None:  # theirs is there in the last level too, and not used
            self.pairs.append((ours.shared_gate, theirs.Shared_Gates[0][0]))

    def ple(self, ours: Ple, theirs: nn.Module):
        self.level(ours.levels[0], theirs.Extraction_layer1)
        self.level(ours.levels[1], theirs.CGC)

    def head(self, ours: Mmfnd, theirs: nn.Module):
        mlp = ["linear1", "norm1", "linear2", "norm2"]
        self.pairs.append((ours.resnet, theirs.resnet101))
        self.sequence(ours.text_projection, mlp, theirs.uni_repre.text_uni)
        self.sequence(ours.image_projection, mlp, theirs.uni_repre.image_uni)
        self.ple(ours.text_ple, theirs.PLE_model_txt)
        self.ple(ours.image_ple, theirs.PLE_model_img)
        self.sequence(ours.text_mapping, mlp, theirs.mapping_txt)
        self.sequence(ours.image_mapping, mlp, theirs.mapping_img)
        self.sequence(ours.fusion, mlp, theirs.mapping_mix)
        self.sequence(ours.attention, ["linear1", "linear2"], theirs.senet)
        self.sequence(ours.classifier, [*mlp, "linear3"], theirs.classifier_corre)

    def copy(self):
        """Our weights into the authors' modules."""
        for ours, theirs in self.pairs:
            theirs.load_state_dict(ours.state_dict())


class Differences:
    """The largest difference of what was compared, relative to the largest value of the tensor (at least 1e-3: biases before a batch norm have no gradient but rounding)."""

    def __init__(self):
        self.rows: list[tuple[str, int, float]] = []

    def compare(self, what: str, pairs: list[tuple[Tensor, Tensor]]):
        def relative(ours: Tensor, theirs: Tensor) -> float:
            assert ours.shape == theirs.shape, (what, ours.shape, theirs.shape)
            return ((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-3)).item()

        self.rows.append((what, sum(theirs.numel() for _, theirs in pairs), max(relative(o.detach(), t.detach()) for o, t in pairs)))


def gradients(pairs: Pairs, theirs: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Of the weights that the authors' optimiser sees; the same of ours must be trained."""
    seen = {id(p) for p in theirs.parameters()}
    found = []
    for our_module, their_module in pairs.pairs:
        for our, their in zip(our_module.parameters(), their_module.parameters(), strict=True):
            assert our.requires_grad == (id(their) in seen), "the reference trains what the authors' code does not, or the other way round"
            if our.requires_grad:
                found.append((our.grad.reshape(their.shape), their.grad))
    return found


def statistics(pairs: Pairs) -> list[tuple[Tensor, Tensor]]:
    norms = [(our, their) for our, their in pairs.pairs if isinstance(their, nn.BatchNorm1d)]
    return [pair for our, their in norms for pair in ((our.running_mean, their.running_mean), (our.running_var, their.running_var))]


def compare_ple(theirs: nn.Module, differences: Differences):
    ours, pairs = Ple(256, 3, 3, 2), Pairs()
    randomise(ours)
    pairs.ple(ours, theirs)
    pairs.copy()
    x = torch.randn(B, 256)
    xs = [x.clone().requires_grad_() for _ in range(2)]
    outs = [module(x) for module, x in zip((ours, theirs), xs)]
    differences.compare("`ple.py`, `PLE`: both outputs", list(zip(*outs)))
    weights = [torch.randn_like(out) for out in outs[0]]
    for out in outs:
        sum((w * o).sum() for w, o in zip(weights, out)).backward()
    differences.compare("… gradient of the input", [(xs[0].grad, xs[1].grad)])
    trained = {id(p) for p in theirs.parameters()}
    grads = [(o.grad, t.grad) for our, their in pairs.pairs for o, t in zip(our.parameters(), their.parameters()) if id(t) in trained]
    differences.compare("… gradients of the weights that its `parameters()` names", grads)


def features(n: int) -> tuple[dict[str, Tensor], Tensor]:
    y = torch.arange(n) % 2
    shift = (2.0 * y - 1.0).view(n, 1) * 0.5
    text = torch.randn(n, RELEASED.d_clip)
    found = {"bert": torch.randn(n, LAYERS, RELEASED.d_bert) * 0.1 + 0.01 * shift.view(n, 1, 1), "resnet": torch.randn(n, RELEASED.d_resnet).abs() * 0.4}
    return found | {"clip_text": text, "clip_image": torch.randn(n, RELEASED.d_clip) - shift * text}, y


def theirs_forward(model: nn.Module, x: dict[str, Tensor]) -> Tensor:
    """As their train.py calls it: the hidden states with a token beside [CLS], then CLIP's picture before CLIP's text."""
    hidden = tuple(torch.stack([layer, torch.full_like(layer, 9.0)], dim=1) for layer in x["bert"].unbind(dim=1))
    return model(torch.zeros(len(x["bert"]), 2), hidden, x["resnet"], x["clip_image"], x["clip_text"])[0]


def compare_head(theirs: nn.Module, differences: Differences):
    ours, pairs = Mmfnd(RELEASED), Pairs()
    randomise(ours)
    pairs.head(ours, theirs)
    pairs.copy()
    with torch.no_grad():
        theirs.weights.copy_(ours.layer_pool.weight.view(-1, 1))
        theirs.w.copy_(ours.similarity.weight)
        theirs.b.copy_(ours.similarity.bias)
    x, y = features(B)
    models = [(ours.eval(), lambda x: ours(**x)["logits"]), (theirs.eval(), lambda x: theirs_forward(theirs, x))]
    with torch.no_grad():
        differences.compare("`mynetwork_ple.py`, `MultiModal`: logits at inference", [tuple(forward(x) for _, forward in models)])
    optimizers = [torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-4) for model, _ in models]
    losses = []
    for step in range(STEPS):
        results = []
        for (model, forward), optimizer in zip(models, optimizers):
            torch.manual_seed(step)  # the same masks of dropout
            logits = forward(x) if model.train() else None
            loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            results.append((logits, loss))
        if step == 0:
            differences.compare("… logits in training, with dropout", [(results[0][0], results[1][0])])
            three = [(ours.layer_pool.weight, theirs.weights), (ours.similarity.weight, theirs.w), (ours.similarity.bias, theirs.b)]
            grads = gradients(pairs, theirs) + [(our.grad.view_as(their), their.grad) for our, their in three]
            differences.compare("… gradients of the cross-entropy, of every weight that is trained", grads)
            differences.compare("… running statistics after the step", statistics(pairs))
        for optimizer in optimizers:
            optimizer.step()
        losses.append(tuple(loss for _, loss in results))
    differences.compare(f"… losses of {STEPS} steps of Adam at 5e-4, with dropout", losses)


def document(differences: Differences) -> str:
    rows = "\n".join(f"| {what} | {n:,} | {difference:.1e} |" for what, n, difference in differences.rows)
    return f"""{HEADING}
Written by `tests/parity/released.py`, which imports `ple.py` and `mynetwork_ple.py` of github.com/diga7654321/MMFND from a folder that the user names, with torch {torch.__version__.split("+")[0]}, in float64. Our side is
`tests/golden/reference.py`, which the golden files come from, with everything as released (rows 1 to 4 and 9 of docs/differences.md); the weights are random and the same on both sides, {B} posts. ResNet-101 itself is left out: our head begins
at its last layer. Exactly the weights are trained that `parameters()` names there. *Difference*: the largest, over the largest value of the tensor.

| compared | values | difference |
|---|---|---|
{rows}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("authors", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "parity.md")
    args = parser.parse_args()
    ple, network = import_authors(args.authors)
    torch.manual_seed(20261128)
    torch.set_default_dtype(torch.float64)  # rounding of float32 would hide small mistakes: Adam makes steps out of it
    torch.set_num_threads(1)
    differences = Differences()
    compare_ple(ple.PLE(256, 256, 3, 3), differences)
    compare_head(network.MultiModal(), differences)
    before = args.out.read_text(encoding="utf-8").split(HEADING)[0].rstrip()
    args.out.write_text(f"{before}\n\n{document(differences)}", encoding="utf-8")
    print(document(differences))
    sys.exit(any(not difference <= LIMIT for _, _, difference in differences.rows))


if __name__ == "__main__":
    main()
