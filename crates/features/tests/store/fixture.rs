//! A small store in a temporary folder, and posts to fill it with.

use std::fs;
use std::path::{Path, PathBuf};

use mmfnd_features::{
    EncoderSpec, Error, Features, Input, Key, Link, Precision, Store, StoreWriter, ValueType,
};
use mmfnd_posts::{Label, Post, Split};
use tempfile::TempDir;

/// A folder for a store, removed at the end.
pub struct Fixture {
    _folder: TempDir,
    pub path: PathBuf,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        Self {
            _folder: folder,
            path,
        }
    }

    pub fn writer(&self) -> StoreWriter {
        StoreWriter::open(&self.path).unwrap()
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path).unwrap()
    }

    pub fn load(&self, posts: &[Post], encoders: &[&str]) -> Result<Features, Error> {
        Features::load(&self.store(), posts, encoders)
    }

    /// Appends one part with the rows of `keys`.
    pub fn append(&self, spec: &EncoderSpec, keys: &[Key]) {
        let mut writer = self.writer();
        let mut encoder = writer.encoder(spec, false).unwrap();
        encoder.append(keys, &rows(spec, keys)).unwrap();
    }

    /// Two encoders over three posts, of which two share a picture and one has none; two parts, a classifier, a reject.
    pub fn filled() -> Self {
        let fixture = Self::new();
        let posts = posts();
        let mut writer = fixture.writer();
        writer
            .write_links(&posts.iter().map(link).collect::<Vec<_>>())
            .unwrap();
        let mut bert = writer.encoder(&bert(), false).unwrap();
        for post in &posts {
            let keys = [text_key(post)];
            bert.append(&keys, &rows(bert.spec().clone(), &keys))
                .unwrap();
        }
        let mut resnet = writer.encoder(&resnet(), false).unwrap();
        let keys = [picture_key("a.png")];
        resnet
            .append(&keys, &rows(resnet.spec().clone(), &keys))
            .unwrap();
        let classifier = fixture.path.with_file_name("layer.safetensors");
        fs::write(&classifier, b"weights").unwrap();
        resnet.set_classifier(&classifier).unwrap();
        resnet
            .set_plan(&[vec![picture_key("a.png")], vec![picture_key("b.png")]])
            .unwrap();
        let reject = mmfnd_features::StoreReject {
            post_id: "3".into(),
            path: "c.png".into(),
            reason: "not a picture".into(),
        };
        writer.write_rejects(&[reject]).unwrap();
        fixture
    }

    /// All files, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&self.path, &mut files);
        files.sort();
        files
    }

    /// The parts in a folder of the store, sorted.
    pub fn parts(&self, folder: &str) -> Vec<PathBuf> {
        let is_part = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "parquet");
        let folder = self.path.join(folder);
        self.files()
            .into_iter()
            .filter(|path| path.starts_with(&folder) && is_part(path))
            .collect()
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

pub fn spec(name: &str, input: Input, shape: &[usize], value_type: ValueType) -> EncoderSpec {
    EncoderSpec {
        name: name.into(),
        input,
        shape: shape.into(),
        ragged: false,
        value_type,
        fingerprint: format!("fingerprint of {name}"),
        model: format!("{name}.onnx"),
        preset: "demo".into(),
        precision: Precision::F32,
        provider: "cpu".into(),
        classifier_sha256: None,
    }
}

pub fn bert() -> EncoderSpec {
    spec("bert", Input::TextOcr, &[2, 3], ValueType::F16)
}

pub fn resnet() -> EncoderSpec {
    spec("resnet", Input::Image, &[4], ValueType::F32)
}

pub fn post(id: &str, text: &str, image: Option<&str>) -> Post {
    Post {
        id: id.into(),
        text: text.into(),
        images: image.map(PathBuf::from).into_iter().collect(),
        label: Some(Label::Fake),
        split: Split::Train,
        event: None,
        ocr_text: None,
        cause: None,
    }
}

pub fn posts() -> Vec<Post> {
    vec![
        post("1", "a dog", Some("a.png")),
        post("2", "a cat", Some("a.png")),
        post("3", "nothing to see", None),
    ]
}

pub fn text_key(post: &Post) -> Key {
    Key::of(post.encoder_text().as_bytes())
}

pub fn picture_key(path: &str) -> Key {
    Key::of(format!("bytes of {path}").as_bytes())
}

/// What encoding would link.
pub fn link(post: &Post) -> Link {
    let image = post.images.first().map(|path| path.display().to_string());
    Link {
        post_id: post.id.clone(),
        source_key: Key::of(post.id.as_bytes()),
        text_key: Key::of(post.text.as_bytes()),
        text_ocr_key: text_key(post),
        image_key: image.as_deref().map(picture_key),
        reason: image.is_none().then(|| "no picture".into()),
        image,
    }
}

/// Values that 16 bits hold exactly and that tell keys and positions apart.
pub fn rows(spec: impl std::borrow::Borrow<EncoderSpec>, keys: &[Key]) -> Vec<f32> {
    let width = spec.borrow().width();
    let row = |key: &Key| {
        let head = f32::from(key.as_bytes()[0]);
        (0..width).map(move |index| head + index as f32 / 8.0)
    };
    keys.iter().flat_map(row).collect()
}

/// The values of a post.
pub fn row(features: &Features, encoder: &str, post: usize) -> Option<Vec<f32>> {
    let column = features.column(encoder).unwrap();
    let mut out = vec![-1.0; column.width()];
    column.copy_row(post, &mut out).then_some(out)
}
