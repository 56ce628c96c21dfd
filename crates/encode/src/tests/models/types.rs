//! Models that do not fit: what is said when they are opened names their file.

use std::path::Path;

use mmfnd_posts::hash::sha256_hex;
use tempfile::tempdir;

use super::weights::chain;
use crate::{Encoders, FromPreset, Options, Preset};

/// Types of tensors by their numbers in ONNX.
const FLOAT: u8 = 1;
const DOUBLE: u8 = 11;
const INT32: u8 = 6;
const INT64: u8 = 7;

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes, content.to_vec()].concat()
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A tensor's name and type, of two axes of any length.
fn outlet(name: &str, kind: u8) -> Vec<u8> {
    let axis = |name: &str| field(1, &field(2, name.as_bytes()));
    let shape = field(2, &[axis("batch"), axis("width")].concat());
    let tensor = field(1, &[number(1, kind), shape].concat());
    [field(1, name.as_bytes()), field(2, &tensor)].concat()
}

/// A model that gives what it is given.
fn model(input: &str, output: &str, kind: u8) -> Vec<u8> {
    let named = |number, name: &str| field(number, name.as_bytes());
    let node = [named(1, input), named(2, output), named(4, "Identity")].concat();
    let graph = [
        field(1, &node),
        named(2, "graph"),
        field(11, &outlet(input, kind)),
        field(12, &outlet(output, kind)),
    ];
    let operators = [named(1, ""), number(2, 13)].concat();
    [
        number(1, 8),
        field(7, &graph.concat()),
        field(8, &operators),
    ]
    .concat()
}

/// What is said when a model is opened as an encoder with this input.
fn said(folder: &Path, input: &str, model: &[u8]) -> String {
    std::fs::write(folder.join("model.onnx"), model).unwrap();
    let about = match input {
        "image" => {
            "[encoder.image]\nresize = { width = 2, height = 2 }\nfilter = \"bilinear\"\n\
             mean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n"
        }
        _ => "tokenizer = \"t.json\"\ntokenizer_sha256 = \"00\"\nmax_length = 9\n",
    };
    let text = format!(
        "name = \"tiny\"\n[[encoder]]\nname = \"e\"\ninput = \"{input}\"\nmodel = \"model.onnx\"\nsha256 = \"{}\"\n\
         output = \"kept\"\nshape = [12]\nprecision = \"f32\"\n{about}",
        sha256_hex(model)
    );
    let file = folder.join("tiny.toml");
    std::fs::write(&file, text).unwrap();
    let preset = Preset::find(file.to_str().unwrap()).unwrap();
    let encoders = FromPreset::new(&preset, Path::new(""), &Options::default());
    let error = match input {
        "image" => encoders.open_image(0).err(),
        _ => encoders.open_text(0, 0).err(),
    };
    error.map_or("it is opened".into(), |error| chain(&error))
}

#[test]
fn a_model_of_other_types_or_names_is_refused_by_its_files_name() {
    let folder = tempdir().unwrap();
    let said = |input: &str, model: &[u8]| said(folder.path(), input, model);
    assert_eq!(
        said("image", &model("pixel_values", "kept", FLOAT)),
        "it is opened"
    );
    let file = folder.path().join("model.onnx").display().to_string();
    let refused = |input: &str, model: &[u8], expected: &str| {
        let said = said(input, model);
        let names = format!("encoder `e` cannot use `{file}`");
        assert!(said.contains(&names) && said.contains(expected), "{said}");
    };
    let of = |name: &str, kind: u8| model(name, "kept", kind);
    refused(
        "image",
        &of("pixel_values", DOUBLE),
        "its `pixel_values` is of type",
    );
    refused(
        "text",
        &of("input_ids", INT32),
        "its `input_ids` is of type",
    );
    refused("text", &of("input_ids", INT64), "its `kept` is of type");
    refused("image", &of("pixels", FLOAT), "asks for an input `pixels`");
    let other = model("pixel_values", "other", FLOAT);
    refused("image", &other, "it has no output `kept`, only `other`");
    refused("image", b"\x08\x08\x3a\x02\x0a\x00", "");
}
