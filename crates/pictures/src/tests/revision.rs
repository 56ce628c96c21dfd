//! Whoever changes a pixel says so: what is made of the golden pictures is written down beside the revision.

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use super::golden::{file, rule};
use crate::{Alpha, Picture, REVISION};

/// SHA-256 of what the golden pictures become, of each revision. Pixels that are no longer those of the last line get
/// a line of their own and a new `REVISION`; the last line is replaced only where golden pictures were added or taken
/// away and all others stayed as they were.
const MADE: [&str; 1] = ["dcd6b611427c95b2a0bedc5562d9af25de3998d72b020cd5e84fcf13ad4e4e67"];

#[test]
fn other_pixels_are_another_revision() {
    let file = file();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for name in names.into_iter().filter(|name| name.ends_with(".file")) {
        let picture = Picture::decode(tensors.tensor(name).unwrap().data()).unwrap();
        hash.update(name);
        for alpha in [Alpha::Ignored, Alpha::White] {
            let seen = picture.with(alpha);
            hash.update(seen.width.to_le_bytes());
            hash.update(&seen.data);
            for name in ["clip_32_29", "resnet_36_31", "exact_24_30"] {
                let pixels = rule(name).pixels(seen);
                pixels
                    .iter()
                    .for_each(|value| hash.update(value.to_le_bytes()));
            }
        }
    }
    let made: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(MADE.len(), REVISION as usize, "a line for each revision");
    assert_eq!(
        made,
        *MADE.last().unwrap(),
        "raise `REVISION` where pixels changed"
    );
    let mut distinct = MADE.to_vec();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        MADE.len(),
        "a revision that changes nothing"
    );
}
