//! The feature store: a folder of plain Parquet files, content-addressed and written once.
//!
//! One table per encoder, keyed by the hash of the content that the encoder saw, so that a picture shared by a thousand posts is encoded once; and
//! one table of posts that points into them. A part file is complete or not there; a killed run is completed by the next; `verify` finds any flipped bit.
//!
//! ```
//! use mmfnd_features::{EncoderSpec, Features, Input, Key, Link, Precision, Store, StoreWriter, ValueType};
//! use mmfnd_posts::{Post, Split};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = &folder.path().join("store");
//! let spec = EncoderSpec {
//!     name: "bert".into(), input: Input::Text, shape: vec![2, 3], value_type: ValueType::F16, fingerprint: "1f2e".into(), model: "tiny.onnx".into(),
//!     preset: "demo".into(), precision: Precision::F32, provider: "cpu".into(), classifier_sha256: None,
//! };
//! let post = Post {
//!     id: "17".into(), text: "a dog".into(), images: vec![], label: None, split: Split::Test, event: None, ocr_text: None, cause: None,
//! };
//! let key = Key::of(post.text.as_bytes());
//! let link = Link {
//!     post_id: "17".into(), source_key: key, text_key: key, text_ocr_key: key, image_key: None, image: None, reason: None,
//! };
//! let mut writer = StoreWriter::open(path)?;
//! writer.encoder(&spec, false)?.append(&[key], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! writer.write_links(&[link])?;
//!
//! let features = Features::load(&Store::open(path)?, &[post], &["bert"])?;
//! let mut row = [0.0; 6];
//! assert!(features.columns[0].copy_row(0, &mut row));
//! assert_eq!(row, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod disk;
mod error;
mod identity;
mod links;
mod read;
mod report;
mod table;
mod write;

pub use disk::lock::try_for_a_second;
pub use error::{Error, PostRow};
pub use identity::key::Key;
pub use identity::key_set::KeySet;
pub use identity::shard::{NoShard, Shard};
pub use identity::spec::{EncoderSpec, Input, Precision, ValueType};
pub use links::link::{Link, Links};
pub use links::rejects::StoreReject;
pub use read::disk_rows::DiskRows;
pub use read::features::Features;
pub use read::store::Store;
pub use read::table_reader::TableReader;
pub use report::export::Exported;
pub use report::inspect::{EncoderReport, Inspection};
pub use report::verify::{Problem, Verified, verify};
pub use table::values::{Column, Values};
pub use write::encoder_writer::EncoderWriter;
pub use write::merge::{Merged, merge};
pub use write::store_writer::StoreWriter;
