"""The encoders as they are exported: what the features need and nothing else.

The features are one token's state (BERT's and Chinese-CLIP's [CLS], CLIP's end of text, the vision towers' class token), so the last layer is computed for that token alone: the keys and values of all
tokens, the query, the residual and the feed-forward part of one. The values are those of the whole layer; every export is compared with the untouched model.
"""

import torch
from torch import nn


def additive(mask, like):
    """0 where attention is allowed, the least finite number where it is not."""
    return torch.where(mask, torch.zeros((), dtype=like.dtype), torch.full((), torch.finfo(like.dtype).min, dtype=like.dtype))


def attend(row, states, mask, heads, query, key, value):
    """Attention of one token [B, 1, D] over all tokens [B, T, D]; `mask` is additive, [B, 1, 1, T], or None."""
    size = query.out_features // heads
    split = lambda x: x.view(x.shape[0], -1, heads, size).transpose(1, 2)
    scores = split(query(row)) @ split(key(states)).transpose(2, 3) * size**-0.5
    if mask is not None:
        scores = scores + mask
    found = torch.softmax(scores, dim=-1) @ split(value(states))
    return found.transpose(1, 2).reshape(row.shape[0], 1, heads * size)


def bert_last(layer, states, mask):
    """[CLS] of a post-norm layer, [B, D]."""
    row, attention = states[:, :1], layer.attention.self
    heads = attention.query.out_features // attention.attention_head_size
    found = attend(row, states, mask, heads, attention.query, attention.key, attention.value)
    found = layer.attention.output(found, row)
    return layer.output(layer.intermediate(found), found)[:, 0]


def clip_last(layer, row, states, mask):
    """One token of a pre-norm layer, [B, D]; `row` is that token's input [B, 1, D]."""
    attention, norm = layer.self_attn, layer.layer_norm1
    found = attend(norm(row), norm(states), mask, attention.num_heads, attention.q_proj, attention.k_proj, attention.v_proj)
    row = row + attention.out_proj(found)
    return (row + layer.mlp(layer.layer_norm2(row)))[:, 0]


class BertLayers(nn.Module):
    """[CLS] of the embedding layer and of every layer, [B, L + 1, D]; with `tokens` also the last layer's states [B, T, D]."""

    def __init__(self, bert, tokens=False):
        super().__init__()
        self.bert, self.tokens = bert, tokens

    def forward(self, input_ids, attention_mask, token_type_ids):
        states = self.bert.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        mask = additive(attention_mask[:, None, None, :] > 0, states)
        *layers, last = self.bert.encoder.layer
        cls = [states[:, 0]]
        for layer in layers:
            states = layer(states, mask)
            cls.append(states[:, 0])
        if not self.tokens:
            return torch.stack([*cls, bert_last(last, states, mask)], dim=1)
        states = last(states, mask)
        return torch.stack([*cls, states[:, 0]], dim=1), states


class ClipText(nn.Module):
    """CLIP's text tower with its projection, not normalised, [B, d_c].

    The state of the first end of text is kept, which sees only what stands before it: what fills up shorter texts comes after it and needs no mask.
    """

    def __init__(self, clip):
        super().__init__()
        self.text, self.projection = clip.text_model, clip.text_projection
        # Checkpoints from before the end of text was named right say 2 and mean the largest id.
        self.end = self.text.eos_token_id if self.text.eos_token_id != 2 else clip.config.text_config.vocab_size - 1

    def forward(self, input_ids):
        states = self.text.embeddings(input_ids=input_ids)
        place = torch.arange(input_ids.shape[1])
        mask = additive(place[None, :] <= place[:, None], states)[None, None]
        *layers, last = self.text.encoder.layers
        for layer in layers:
            states = layer(states, mask)
        end = (input_ids == self.end).int().argmax(dim=-1)
        row = states.gather(1, end[:, None, None].expand(-1, 1, states.shape[2]))
        mask = additive((place[None, :] <= end[:, None])[:, None, None], states)
        return self.projection(self.text.final_layer_norm(clip_last(last, row, states, mask)))


class ChineseClipText(nn.Module):
    """Chinese-CLIP's text tower (a BERT) with its projection, not normalised, [B, d_c]."""

    def __init__(self, clip):
        super().__init__()
        self.text, self.projection = clip.text_model, clip.text_projection

    def forward(self, input_ids, attention_mask, token_type_ids):
        states = self.text.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        mask = additive(attention_mask[:, None, None, :] > 0, states)
        *layers, last = self.text.encoder.layer
        for layer in layers:
            states = layer(states, mask)
        return self.projection(bert_last(last, states, mask))


class ClipImage(nn.Module):
    """The image tower with its projection, not normalised, [B, d_c]."""

    def __init__(self, clip):
        super().__init__()
        self.vision, self.projection = clip.vision_model, clip.visual_projection
        # Patches do not overlap: a linear map, where a convolution has no fast kernel in int8.
        patches = self.vision.embeddings.patch_embedding
        self.patches = nn.Linear(patches.weight[0].numel(), patches.out_channels, bias=False)
        self.patches.weight = nn.Parameter(patches.weight.detach().flatten(1))

    def embeddings(self, pixel_values):
        """The class token and the patches row by row, with their places, [B, 1 + P, D]."""
        own = self.vision.embeddings
        channels, size, side = own.patch_embedding.in_channels, own.patch_size, own.image_size // own.patch_size
        places = pixel_values.reshape(-1, channels, side, size, side, size)
        rows = self.patches(places.permute(0, 2, 4, 1, 3, 5).reshape(-1, side * side, channels * size * size))
        first = own.class_embedding.expand(rows.shape[0], 1, -1)
        return torch.cat([first, rows], dim=1) + own.position_embedding(own.position_ids)

    def forward(self, pixel_values):
        vision = self.vision
        states = vision.pre_layrnorm(self.embeddings(pixel_values))
        *layers, last = vision.encoder.layers
        for layer in layers:
            states = layer(states, None)
        return self.projection(vision.post_layernorm(clip_last(last, states[:, :1], states, None)))


class VggHidden(nn.Module):
    """VGG-19 up to its second layer of 4096 (fc7), before the ReLU, [B, 4096]."""

    def __init__(self, vgg):
        super().__init__()
        self.vgg = vgg

    def forward(self, pixel_values):
        maps = self.vgg.avgpool(self.vgg.features(pixel_values))
        return self.vgg.classifier[:4](maps.flatten(1))


class ResNetPooled(nn.Module):
    """ResNet-101 without its last layer: the pooled feature [B, 2048] and the layer-3 map [B, 1024, 14, 14]."""

    def __init__(self, resnet):
        super().__init__()
        self.resnet = resnet

    def forward(self, pixel_values):
        r = self.resnet
        layer3 = r.layer3(r.layer2(r.layer1(r.maxpool(r.relu(r.bn1(r.conv1(pixel_values)))))))
        return r.avgpool(r.layer4(layer3)).flatten(1), layer3
