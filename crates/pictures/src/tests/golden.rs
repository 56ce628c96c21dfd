//! Against Pillow: `tests/golden/pixels.py` wrote the pictures and what is expected of them.

use std::path::Path;

use safetensors::SafeTensors;

use super::decode;
use crate::{
    Alpha, CropOffset, Filter, Part, Picture, Preprocessing, Resize, Rgb, View, error_levels, probe,
};

/// The golden file.
pub fn file() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/pixels.safetensors");
    std::fs::read(path).expect("it is part of the repository")
}

/// One tensor's bytes.
pub fn tensor(name: &str) -> Vec<u8> {
    let file = file();
    SafeTensors::deserialize(&file)
        .unwrap()
        .tensor(name)
        .unwrap()
        .data()
        .to_vec()
}

/// Share of values that are at most 1 of 255 apart.
fn share_within_one(found: &[u8], expected: &[u8]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let close = found
        .iter()
        .zip(expected)
        .filter(|(a, b)| a.abs_diff(**b) <= 1);
    close.count() as f64 / expected.len() as f64
}

#[test]
fn pictures_of_every_kind_are_decoded_as_pillow_decodes_them() {
    let file = file();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let mut kinds = 0;
    for name in tensors
        .names()
        .into_iter()
        .filter_map(|name| name.strip_suffix(".rgb"))
    {
        let expected = tensors.tensor(&format!("{name}.rgb")).unwrap();
        let bytes = tensors.tensor(&format!("{name}.file")).unwrap().data();
        let found = decode(bytes);
        let found = found.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let size = [found.height as usize, found.width as usize, 3];
        assert_eq!(size, *expected.shape(), "{name}");
        assert_eq!(probe(bytes), Ok((found.width, found.height)), "{name}");
        let share = share_within_one(&found.data, expected.data());
        assert!(
            share >= 0.999,
            "{name}: {:.2} % within 1/255",
            100.0 * share
        );
        if !name.starts_with("webp") {
            assert!(found.data == expected.data(), "{name} is decoded exactly");
        }
        kinds += 1;
    }
    assert!(kinds >= 30, "{kinds}");
}

#[test]
fn what_is_transparent_shows_white_as_transformers_composites_it() {
    let file = file();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let mut kinds = 0;
    for (name, expected) in tensors.tensors() {
        let Some(name) = name.strip_suffix(".white") else {
            continue;
        };
        let bytes = tensors.tensor(&format!("{name}.file")).unwrap();
        let picture = Picture::decode(bytes.data()).unwrap();
        let white = &picture.with(Alpha::White).data;
        assert!(white == expected.data(), "{name} on white");
        assert_eq!(
            *picture.with(Alpha::Ignored),
            decode(bytes.data()).unwrap(),
            "{name}"
        );
        kinds += usize::from(*white != picture.with(Alpha::Ignored).data);
    }
    assert!(kinds >= 8, "{kinds}");
}

#[test]
fn error_levels_are_those_of_pillows_jpeg() {
    let file = file();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let mut pictures = 0;
    for (name, expected) in tensors.tensors() {
        let Some(name) = name.strip_suffix(".levels") else {
            continue;
        };
        let bytes = tensors.tensor(&format!("{name}.file")).unwrap();
        let found = error_levels(&decode(bytes.data()).unwrap()).unwrap();
        assert!(found.data == expected.data(), "{name}");
        pictures += 1;
    }
    assert_eq!(pictures, 5);
}

fn preprocessing(resize: Resize, crop: Option<u32>, filter: Filter) -> Preprocessing {
    Preprocessing {
        alpha: Alpha::Ignored,
        view: View::Picture,
        resize,
        crop,
        crop_offset: CropOffset::Floor,
        filter,
        mean: [0.0; 3],
        std: [1.0; 3],
    }
}

/// What one of the golden rules makes of pictures.
pub fn rule(name: &str) -> Preprocessing {
    let clip =
        |shortest, crop| preprocessing(Resize::Shortest { shortest }, Some(crop), Filter::Bicubic);
    let resnet = |shortest, crop| Preprocessing {
        crop_offset: CropOffset::Round,
        ..preprocessing(Resize::Shortest { shortest }, Some(crop), Filter::Bilinear)
    };
    match name {
        "clip_32_29" => clip(32, 29),
        "clip_32_32" => clip(32, 32),
        "clip_224_224" => clip(224, 224),
        "resnet_36_31" => resnet(36, 31),
        "resnet_256_224" => resnet(256, 224),
        "exact_24_30" => {
            let size = Resize::Exact {
                width: 24,
                height: 30,
            };
            preprocessing(size, None, Filter::Bicubic)
        }
        other => panic!("no rule {other}"),
    }
}

#[test]
fn pictures_are_resized_and_cropped_as_pillow_does_it() {
    let file = file();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let mut cases = 0;
    for (name, expected) in tensors.tensors() {
        let (picture, rule_name) = name.split_once('.').unwrap();
        if ["file", "rgb", "white", "levels"].contains(&rule_name) || rule_name.starts_with("part")
        {
            continue;
        }
        let bytes = tensors.tensor(&format!("{picture}.file")).unwrap();
        let rule = rule(rule_name);
        let mut found = rule.resized(&decode(bytes.data()).unwrap());
        if picture == "full" {
            let row = 3 * rule.input_size().0 as usize;
            found = found
                .chunks_exact(row)
                .step_by(4)
                .flatten()
                .copied()
                .collect();
        }
        assert!(
            found == expected.data(),
            "{name} is resized to the last bit"
        );
        cases += 1;
    }
    assert_eq!(cases, 5 * 4 + 2);
}

#[test]
fn a_part_of_a_picture_is_what_torchvision_makes_of_it() {
    let picture = decode(&tensor("smaller.file")).unwrap();
    let rule = Preprocessing {
        filter: Filter::Bilinear,
        ..rule("exact_24_30")
    };
    for (name, is_mirrored) in [("smaller.part", false), ("smaller.part_mirrored", true)] {
        let part = Part {
            across: 5..38,
            down: 2..24,
            is_mirrored,
        };
        let found = rule.resized_part(&picture, &part);
        assert!(found == tensor(name), "{name} to the last bit");
    }
}

#[test]
fn pixels_are_normalised_channel_by_channel() {
    let picture = Rgb {
        width: 1,
        height: 2,
        data: vec![255, 0, 51, 0, 255, 102],
    };
    let rule = Preprocessing {
        mean: [0.5, 0.0, 0.2],
        std: [0.5, 1.0, 0.1],
        ..preprocessing(
            Resize::Exact {
                width: 1,
                height: 2,
            },
            None,
            Filter::Bilinear,
        )
    };
    let found = rule.pixels(&picture);
    let expected = [1.0, -1.0, 0.0, 1.0, 0.0, 2.0];
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn every_size_can_be_resized() {
    let rules = [
        rule("clip_32_32"),
        rule("clip_32_29"),
        rule("resnet_36_31"),
        rule("exact_24_30"),
    ];
    let sizes = [
        (1, 1),
        (1, 900),
        (900, 1),
        (2, 3),
        (449, 451),
        (500, 281),
        (1023, 768),
    ];
    let sizes = sizes.into_iter().chain((30..140).map(|n| (n, 97)));
    for (width, height) in sizes {
        let picture = Rgb {
            width,
            height,
            data: vec![128; (3 * width * height) as usize],
        };
        for rule in &rules {
            assert!(rule.resized(&picture).iter().all(|value| *value == 128));
        }
    }
}
