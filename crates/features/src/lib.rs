//! The feature store: a folder of plain Parquet files, content-addressed and written once. Rows of encoders and links
//! of posts come in; the features of any posts, and what the store holds, go out.
//!
//! One table per encoder, keyed by the hash of the content that the encoder saw, so that a picture shared by a
//! thousand posts is encoded once; and one table of posts that points into them. A part file is complete or not there;
//! a killed run is completed by the next; `verify` finds any flipped bit.
//!
//! ```
//! use mmfnd_features::{EncoderSpec, Features, Input, Key, Link, Precision, Store, StoreWriter, ValueType};
//! use mmfnd_posts::{Post, Split};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = &folder.path().join("store");
//! let spec = EncoderSpec {
//!     name: "bert".into(), input: Input::Text, shape: vec![2, 3], ragged: false, value_type: ValueType::F16,
//!     fingerprint: "1f2e".into(), model: "tiny.onnx".into(), preset: "demo".into(), precision: Precision::F32,
//!     provider: "cpu".into(), classifier_sha256: None,
//! };
//! let post = Post {
//!     id: "17".into(), text: "a dog".into(), images: vec![], label: None, split: Split::Test, event: None,
//!     ocr_text: None, cause: None,
//! };
//! let key = Key::of(post.text.as_bytes());
//! let link = Link {
//!     post_id: "17".into(), source_key: key, text_key: key, text_ocr_key: key, image_key: None, image: None,
//!     reason: None,
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

// From bottom to top: error, identity, disk, table, links, read, write, report; each imports only from those before it.
mod disk;
mod error;
mod identity;
mod links;
mod read;
mod report;
mod table;
mod write;

pub use disk::lock::try_for_a_second;
pub use error::{Error, PostRow, how_to_add};
pub use identity::{
    EncoderSpec, Input, Key, KeySet, Machine, Maker, NoShard, Precision, Shard, ValueType,
};
pub use links::{Link, Links, StoreReject};
pub use read::{Column, ColumnValues, DiskRows, Features, Store, TableReader};
pub use report::{EncoderReport, Exported, Inspection, Places, Problem, Verified, verify};
pub use table::Values;
pub use write::{EncoderWriter, Merged, StoreWriter, merge};
