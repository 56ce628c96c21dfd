//! The ablations of Table 2, and what each leaves of the head, as data.

use serde::{Deserialize, Serialize};
use strum::VariantNames;

use crate::heads::modality_mask::Modalities;

/// 1: which CLIP vector goes with which modality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Routing {
    /// Eq. 1: text with text, picture with picture.
    Paper,
    /// Swapped.
    Released,
}

/// The ablations of Table 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Ablation {
    /// The whole head.
    #[default]
    None,
    /// The classifier reads f^m.
    MultimodalOnly,
    /// The classifier reads f^t.
    TextOnly,
    /// The classifier reads f^v.
    ImageOnly,
    /// w/o A: no similarity weight, no attention; the classifier reads the three branches.
    #[serde(alias = "w/o A")]
    WithoutA,
    /// w/o F: no cross-modal branch.
    #[serde(alias = "w/o F")]
    WithoutF,
    /// w/o C: no CLIP in text and picture, no similarity weight.
    #[serde(alias = "w/o C")]
    WithoutC,
    /// w/o S: no similarity weight.
    #[serde(alias = "w/o S")]
    WithoutS,
    /// w/o P: no experts.
    #[serde(alias = "w/o P")]
    WithoutP,
}

/// Which parts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// The text's projection and experts.
    pub text: bool,
    /// The picture's projection and experts.
    pub image: bool,
    /// f^t and f^v, of the modalities that there are.
    pub unimodal: bool,
    /// f^m.
    pub fusion: bool,
    /// Experts; without them the fusion reads CLIP.
    pub ple: bool,
    /// CLIP in Eq. 1.
    pub clip: bool,
    /// The weight of Eqs. 4 to 6.
    pub similarity: bool,
    /// The attention of Eq. 7; without it the classifier reads the branches side by side.
    pub attention: bool,
}

impl Parts {
    const ALL: Self = Self {
        text: true,
        image: true,
        unimodal: true,
        fusion: true,
        ple: true,
        clip: true,
        similarity: true,
        attention: true,
    };

    /// Everything before the three branches.
    const TRUNK: Self = Self {
        unimodal: false,
        fusion: false,
        similarity: false,
        attention: false,
        ..Self::ALL
    };

    /// The parts that an ablation keeps.
    #[rustfmt::skip] // a table
    pub fn of(ablation: Ablation) -> Self {
        let (all, trunk) = (Self::ALL, Self::TRUNK);
        match ablation {
            Ablation::None           => all,
            Ablation::MultimodalOnly => Self { fusion: true, ..trunk },
            Ablation::TextOnly       => Self { unimodal: true, image: false, ..trunk },
            Ablation::ImageOnly      => Self { unimodal: true, text: false, ..trunk },
            Ablation::WithoutA       => Self { similarity: false, attention: false, ..all },
            Ablation::WithoutF       => Self { fusion: false, similarity: false, ..all },
            Ablation::WithoutC       => Self { clip: false, similarity: false, ..all },
            Ablation::WithoutS       => Self { similarity: false, ..all },
            Ablation::WithoutP       => Self { ple: false, ..all },
        }
    }

    /// The encoders that these parts read: with one modality alone only CLIP's vector that goes with it.
    pub fn encoders(self, routing: Routing) -> Vec<&'static str> {
        let both = self.similarity || (self.fusion && !self.ple);
        let (text, image) = match routing {
            Routing::Paper => (self.text, self.image),
            Routing::Released => (self.image, self.text), // difference 1
        };
        let encoders = [
            ("bert", self.text),
            ("clip_text", both || (self.clip && text)),
            ("clip_image", both || (self.clip && image)),
            ("resnet", self.image),
        ];
        let read = encoders.into_iter().filter(|(_, is_read)| *is_read);
        read.map(|(name, _)| name).collect()
    }

    /// Whether one of the branches can run over a post that has only this.
    pub fn can_score(self, modalities: Modalities) -> bool {
        let unimodal = (self.text && modalities.text) || (self.image && modalities.image);
        (self.unimodal && unimodal) || (self.fusion && modalities == Modalities::BOTH)
    }

    /// f^t, f^v, f^m: how many of them there are.
    pub fn branches(self) -> usize {
        let unimodal = usize::from(self.text) + usize::from(self.image);
        usize::from(self.unimodal) * unimodal + usize::from(self.fusion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_part_does_not_read_is_not_asked_for() {
        let encoders = |ablation| Parts::of(ablation).encoders(Routing::Paper);
        let all = ["bert", "clip_text", "clip_image", "resnet"];
        assert_eq!(encoders(Ablation::None), all);
        assert_eq!(encoders(Ablation::TextOnly), all[..2]);
        assert_eq!(encoders(Ablation::ImageOnly), all[2..]);
        let swapped = Parts::of(Ablation::TextOnly).encoders(Routing::Released);
        assert_eq!(swapped, ["bert", "clip_image"]);
        assert_eq!(encoders(Ablation::WithoutC), ["bert", "resnet"]);
        assert_eq!(encoders(Ablation::WithoutP), all);
    }

    #[test]
    fn a_post_is_scored_where_one_branch_is_there() {
        let (text, image) = (true, false);
        let text_only = Modalities { text, image };
        let can = |ablation| Parts::of(ablation).can_score(text_only);
        assert!(can(Ablation::None) && can(Ablation::TextOnly) && can(Ablation::WithoutP));
        assert!(!can(Ablation::ImageOnly) && !can(Ablation::MultimodalOnly));
    }

    #[test]
    fn branches_are_those_of_the_table() {
        let branches = |ablation| Parts::of(ablation).branches();
        assert_eq!(branches(Ablation::None), 3);
        assert_eq!(branches(Ablation::WithoutF), 2);
        for single in [
            Ablation::MultimodalOnly,
            Ablation::TextOnly,
            Ablation::ImageOnly,
        ] {
            assert_eq!(branches(single), 1);
        }
    }
}
