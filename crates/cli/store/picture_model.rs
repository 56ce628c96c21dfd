//! The weights and the preprocessing of the ResNet that made a store's features, to be trained from pictures.

use anyhow::{Context, bail};
use mmfnd_encode::Preset;
use mmfnd_features::Features;
use mmfnd_train::{Config, PictureModel, Reads};

/// That of a preset, by default of the one that the store names; `None` where no configuration trains a ResNet from
/// pictures.
pub(crate) fn picture_model<'a>(
    configs: impl IntoIterator<Item = &'a Config>,
    features: &Features,
    preset: Option<&str>,
) -> anyhow::Result<Option<PictureModel>> {
    let mut online = configs.into_iter().filter_map(Config::online);
    if !online.any(|(_, trained)| trained.reads() == Reads::Pixels) {
        return Ok(None);
    }
    let stored = features.specs.iter().find(|spec| spec.name == "resnet");
    let stored = stored.context("the store has no features of `resnet`")?;
    let name = preset.unwrap_or(&stored.preset);
    let preset = Preset::find(name).context(
        "weights and preprocessing of ResNet come from a preset; name it with `--preset`",
    )?;
    let encoder = preset
        .encoders
        .iter()
        .find(|encoder| encoder.name == "resnet");
    let encoder = encoder.with_context(|| format!("preset `{name}` has no encoder `resnet`"))?;
    let spec = encoder.spec(&preset.name, stored.value_type, &stored.provider);
    if spec.fingerprint != stored.fingerprint {
        bail!(
            "the store's features of `resnet` are of another encoder than preset `{name}` has; name that which encoded them with `--preset`"
        );
    }
    encoder.verify(&preset.name)?;
    let weights = encoder.backbone.clone();
    let preprocessing = encoder.image.clone();
    let (weights, preprocessing) = weights.zip(preprocessing).with_context(|| {
        format!(
            "preset `{name}` has no `backbone` of `resnet`; export it again with `models/export.py`"
        )
    })?;
    Ok(Some(PictureModel {
        weights,
        preprocessing,
    }))
}
