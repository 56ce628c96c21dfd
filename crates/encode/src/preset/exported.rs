//! Presets that are not part of the repository but can be made.

/// Presets that `models/export.py` makes, with their encoders; they are not part of the repository.
pub const EXPORTED: [(&str, &str); 3] = [
    ("twitter", "bert-base-uncased, CLIP ViT-B/32, ResNet-101"),
    (
        "weibo",
        "chinese-roberta-wwm-ext, Chinese-CLIP ViT-B/16, ResNet-101",
    ),
    (
        "weibo-huge",
        "chinese-roberta-wwm-ext, Chinese-CLIP ViT-H/14, ResNet-101",
    ),
];

/// The preset of [`EXPORTED`] that a name means, and its precision where that is part of the name (`twitter-fp16`).
pub(super) fn exported(name: &str) -> Option<(&str, Option<&str>)> {
    let (base, precision) = match name.rsplit_once('-') {
        Some((base, precision @ ("fp16" | "int8"))) => (base, Some(precision)),
        _ => (name, None),
    };
    let mut known = EXPORTED.iter();
    known
        .any(|(known, _)| *known == base)
        .then_some((base, precision))
}
