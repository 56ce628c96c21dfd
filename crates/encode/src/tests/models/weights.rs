//! Only files whose checksum stands in the preset are opened, and it is compared with the bytes that are loaded.

use std::path::Path;

use mmfnd_posts::hash::sha256_hex;
use tempfile::tempdir;

use crate::onnx::model_with;
use crate::{Encoders, FromPreset, Options, Preset};

/// A preset of one picture encoder in this folder, whose model keeps weights in these files.
fn preset(folder: &Path, names_of_weights: &[&str], more: &str) -> Preset {
    let model = model_with(names_of_weights);
    std::fs::write(folder.join("model.onnx"), &model).unwrap();
    let text = format!(
        "name = \"tiny\"\n[[encoder]]\nname = \"resnet\"\ninput = \"image\"\nmodel = \"model.onnx\"\nsha256 = \"{}\"\n{more}\n\
         output = \"w\"\nshape = [1]\nprecision = \"f32\"\n[encoder.image]\nresize = {{ width = 2, height = 2 }}\n\
         filter = \"bilinear\"\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n",
        sha256_hex(&model)
    );
    let file = folder.join("tiny.toml");
    std::fs::write(&file, text).unwrap();
    Preset::find(file.to_str().unwrap()).unwrap()
}

/// An error with all that caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// What is said before the first batch, and when the model is opened.
fn said(preset: &Preset) -> [Option<String>; 2] {
    let encoders = FromPreset::new(preset, Path::new(""), &Options::default());
    let checked = encoders.check(0).err();
    let opened = encoders.open_image(0).err();
    [checked, opened].map(|error| error.map(|error| chain(&error)))
}

#[test]
fn weights_that_the_preset_does_not_name_are_refused() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("here.bin"), [0; 4]).unwrap();
    let named = format!(
        "weights = \"here.bin\"\nweights_sha256 = \"{}\"",
        sha256_hex(&[0; 4])
    );
    for (files, more) in [
        (&["here.bin"][..], ""),
        (&["here.bin", "../there.bin"], &named),
    ] {
        for said in said(&preset(folder.path(), files, more)) {
            let said = said.expect("it is refused");
            assert!(said.contains("which the preset does not name"), "{said}");
        }
    }
}

#[test]
fn weights_that_the_model_does_not_use_are_refused() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("here.bin"), [0; 4]).unwrap();
    let named = format!(
        "weights = \"here.bin\"\nweights_sha256 = \"{}\"",
        sha256_hex(&[0; 4])
    );
    for said in said(&preset(folder.path(), &[], &named)) {
        let said = said.expect("it is refused");
        assert!(said.contains("it does not use the weights"), "{said}");
    }
}

#[test]
fn a_file_that_changes_after_its_checksum_was_compared_is_not_opened() {
    let folder = tempdir().unwrap();
    for changed in ["model.onnx", "here.bin"] {
        let weights = folder.path().join("here.bin");
        std::fs::write(&weights, [0; 4]).unwrap();
        let named = format!(
            "weights = \"./here.bin\"\nweights_sha256 = \"{}\"",
            sha256_hex(&[0; 4])
        );
        let preset = preset(folder.path(), &["here.bin"], &named);
        let encoders = FromPreset::new(&preset, Path::new(""), &Options::default());
        encoders.check(0).unwrap();
        std::fs::write(folder.path().join(changed), [1; 4]).unwrap();
        let said = chain(&encoders.open_image(0).err().expect("it is another file"));
        assert!(
            said.contains(changed) && said.contains("is not the file that preset"),
            "{said}"
        );
    }
}

#[test]
fn tokenizers_and_classification_layers_are_compared_when_they_are_read() {
    let folder = tempdir().unwrap();
    let mut preset = Preset::find("demo").unwrap();
    let mut move_here = |name: &str| {
        let mut all = preset.encoders.iter_mut();
        let encoder = all.find(|encoder| encoder.name == name).unwrap();
        let files = [encoder.tokenizer.as_mut(), encoder.classifier.as_mut()];
        for file in files.into_iter().flatten() {
            let here = folder.path().join(file.file_name().unwrap());
            std::fs::copy(&*file, &here).unwrap();
            *file = here;
        }
    };
    move_here("bert");
    move_here("resnet");
    let number = |name: &str| {
        let mut all = preset.encoders.iter();
        all.position(|encoder| encoder.name == name).unwrap()
    };
    let (bert, resnet) = (number("bert"), number("resnet"));
    let encoders = FromPreset::new(&preset, Path::new(""), &Options::default());
    encoders.check(bert).unwrap();
    encoders.check(resnet).unwrap();
    encoders.tokens(bert).map(drop).unwrap();
    assert!(encoders.classifier(resnet).unwrap().is_some());
    assert!(encoders.classifier(bert).unwrap().is_none());
    for file in ["bert.tokenizer.json", "resnet.classifier.safetensors"] {
        let path = folder.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let tokens = encoders.tokens(bert).map(drop).unwrap_err();
    let layer = encoders.classifier(resnet).unwrap_err();
    for (error, file) in [(tokens, "bert.tokenizer"), (layer, "resnet.classifier")] {
        let said = chain(&error);
        assert!(
            said.contains(file) && said.contains("is not the file that preset `demo` means"),
            "{said}"
        );
    }
}
