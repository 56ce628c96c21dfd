//! Reading `posts.parquet`, some thousands of posts at a time.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use super::row::{Row, SeenIds, folder_of};
use super::write::schema;
use crate::tables::columns::{Batches, Columns};
use crate::{Error, Post};

const EXPECTED: &str = "posts.parquet as `mmfnd import` or `mmfnd demo` writes it";

/// Reads `posts.parquet`; relative picture paths are joined to its folder.
pub fn read_posts(path: &Path) -> Result<Vec<Post>, Error> {
    let mut posts = Vec::new();
    for some in PostsFile::open(path)? {
        posts.extend(some?);
    }
    Ok(posts)
}

/// Names of the columns of a posts file that [`write_posts`](super::write_posts) would not write again.
pub fn other_columns(path: &Path) -> Result<Vec<String>, Error> {
    let schema = schema();
    let empty = Batches::open(path, EXPECTED)?.empty;
    let mut names = Columns::of(path, empty).names();
    names.retain(|name| schema.column_with_name(name).is_none());
    Ok(names)
}

/// `posts.parquet`, read some thousands of posts at a time; an iterator over these.
///
/// Columns are checked when it is opened, values when their turn comes.
pub struct PostsFile {
    path: PathBuf,
    folder: PathBuf,
    batches: Batches,
    rows: usize,
    seen: SeenIds,
}

impl PostsFile {
    /// Opens the file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let batches = Batches::open(path, EXPECTED)?;
        let empty = batches.empty.clone();
        let mut file = Self {
            path: path.to_owned(),
            folder: folder_of(path)?,
            batches,
            rows: 0,
            seen: SeenIds::default(),
        };
        file.posts(empty)?;
        Ok(file)
    }

    fn posts(&mut self, batch: RecordBatch) -> Result<Vec<Post>, Error> {
        let columns = Columns::of(&self.path, batch);
        let mut ids = columns.strings("post_id", false)?.into_iter();
        let mut texts = columns.strings("text", false)?.into_iter();
        let mut images = columns.string_lists("images")?.into_iter();
        let mut labels = columns.integers("label")?.into_iter();
        let mut splits = columns.strings("split", false)?.into_iter();
        let mut events = optional(&columns, "event")?.into_iter();
        let mut ocr_texts = optional(&columns, "ocr_text")?.into_iter();
        let mut causes = optional(&columns, "cause")?.into_iter();
        let mut posts = Vec::with_capacity(columns.rows());
        for row in 1..=columns.rows() {
            let row = self.rows + row;
            let check = Row {
                path: &self.path,
                row,
            };
            posts.push(Post {
                id: check.id(ids.next().flatten(), &mut self.seen)?,
                text: check.text(texts.next().flatten())?,
                images: check.images(images.next().unwrap_or_default(), &self.folder)?,
                label: check.label(labels.next().flatten())?,
                split: check.split(splits.next().flatten())?,
                event: events.next().flatten(),
                ocr_text: ocr_texts.next().flatten(),
                cause: causes.next().flatten(),
            });
        }
        self.rows += posts.len();
        Ok(posts)
    }
}

impl Iterator for PostsFile {
    type Item = Result<Vec<Post>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?;
        Some(batch.and_then(|batch| self.posts(batch)))
    }
}

fn optional(columns: &Columns, name: &str) -> Result<Vec<Option<String>>, Error> {
    match columns.find(&[name]) {
        Some(name) => columns.strings(&name, false),
        None => Ok(vec![None; columns.rows()]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int8Array, StringArray};
    use proptest::prelude::*;

    use super::super::write::{Folder, to_batch};
    use super::*;
    use crate::tables::record_batch::write_batch;
    use crate::{Label, Split, write_posts};

    fn post(id: &str) -> Post {
        Post {
            id: id.to_owned(),
            text: "text".to_owned(),
            images: Vec::new(),
            label: Some(Label::Fake),
            split: Split::Train,
            event: None,
            ocr_text: None,
            cause: None,
        }
    }

    fn message(path: &Path) -> String {
        let error = read_posts(path).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    }

    /// A table with the columns of posts.parquet and one row, after a change.
    fn damaged(change: impl FnOnce(&mut Vec<(&'static str, ArrayRef)>)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        let batch = to_batch(&Folder::of(&path).unwrap(), &[post("a")]);
        let names = ["post_id", "text", "images", "label", "split"];
        let mut columns: Vec<_> = names
            .into_iter()
            .map(|name| (name, batch.column_by_name(name).unwrap().clone()))
            .collect();
        change(&mut columns);
        write_batch(&path, &RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        message(&path)
    }

    fn string(value: Option<&str>) -> ArrayRef {
        Arc::new(StringArray::from(vec![value]))
    }

    #[test]
    fn pictures_below_the_folder_move_with_it() {
        let parent = tempfile::tempdir().unwrap();
        let (old, new) = (parent.path().join("old"), parent.path().join("new"));
        std::fs::create_dir(&old).unwrap();
        let outside = parent.path().join("outside.png");
        let images = vec![old.join("pictures/1.png"), outside.clone()];
        let posts = [Post {
            images,
            ..post("a")
        }];
        write_posts(&old.join("posts.parquet"), &posts).unwrap();
        std::fs::rename(&old, &new).unwrap();
        let read = read_posts(&new.join("posts.parquet")).unwrap();
        assert_eq!(read[0].images, [new.join("pictures/1.png"), outside]);
    }

    #[test]
    fn the_same_posts_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.parquet", "b.parquet"].map(|name| folder.path().join(name));
        for path in &paths {
            write_posts(path, &[post("1"), post("2")]).unwrap();
        }
        let bytes = paths.map(|path| std::fs::read(path).unwrap());
        assert_eq!(bytes[0], bytes[1]);
    }

    #[test]
    fn posts_that_are_written_in_pieces_are_read_as_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        let posts: Vec<Post> = (0..70_000)
            .map(|number: usize| Post {
                images: vec![folder.path().join((number % 7).to_string()); number % 3],
                ..post(&number.to_string())
            })
            .collect();
        write_posts(&path, &posts).unwrap();
        assert!(read_posts(&path).unwrap() == posts);
    }

    #[test]
    fn a_file_without_optional_columns_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        let batch = to_batch(&Folder::of(&path).unwrap(), &[post("a")]);
        write_batch(&path, &batch.project(&[0, 1, 2, 3, 4]).unwrap()).unwrap();
        assert_eq!(read_posts(&path).unwrap(), [post("a")]);
    }

    #[test]
    fn columns_of_somebody_else_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        write_posts(&path, &[post("a")]).unwrap();
        assert_eq!(other_columns(&path).unwrap(), Vec::<String>::new());
        let batch = to_batch(&Folder::of(&path).unwrap(), &[post("a")]);
        let more = [
            ("post_id", batch.column(0).clone()),
            ("likes", batch.column(3).clone()),
        ];
        write_batch(&path, &RecordBatch::try_from_iter(more).unwrap()).unwrap();
        assert_eq!(other_columns(&path).unwrap(), ["likes"]);
    }

    #[test]
    fn a_missing_file_is_named_with_the_remedy() {
        let message = message(Path::new("nowhere/posts.parquet"));
        assert!(message.contains("nowhere/posts.parquet"), "{message}");
        assert!(message.contains("mmfnd import"), "{message}");
    }

    #[test]
    fn empty_files_and_other_formats_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        std::fs::write(&path, b"").unwrap();
        assert!(message(&path).contains("is empty"), "{}", message(&path));
        std::fs::write(&path, b"id,text\n1,a text that is long enough\n").unwrap();
        assert!(message(&path).contains("as Parquet"), "{}", message(&path));
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        write_posts(&path, &[post("a")]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
        assert!(message(&path).contains("as Parquet"), "{}", message(&path));
    }

    #[test]
    fn a_damaged_byte_is_an_error_or_another_value_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        write_posts(&path, &[post("a")]).unwrap();
        let good = std::fs::read(&path).unwrap();
        let mut refused = 0;
        for index in 0..good.len() {
            for flipped in [1, 0x10, 0xFF] {
                let mut bad = good.clone();
                bad[index] ^= flipped;
                std::fs::write(&path, bad).unwrap();
                refused += usize::from(read_posts(&path).is_err());
            }
        }
        assert!(refused > good.len(), "{refused} of 3 x {}", good.len());
    }

    #[test]
    fn a_missing_column_is_named() {
        let message = damaged(|columns| columns.retain(|column| column.0 != "split"));
        assert!(message.contains("column `split`"), "{message}");
        assert!(
            message.contains("found nothing, expected string"),
            "{message}"
        );
    }

    #[test]
    fn a_column_of_a_wrong_type_is_named_with_both_types() {
        let message = damaged(|columns| columns[3].1 = string(Some("fake")));
        assert!(message.contains("column `label`"), "{message}");
        assert!(message.contains("found Utf8, expected int8"), "{message}");
    }

    #[test]
    fn labels_that_pandas_made_floats_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        let posts = ["a", "b", "c", "d"].map(post);
        let batch = to_batch(&Folder::of(&path).unwrap(), &posts);
        let labels = |values: [Option<f64>; 4]| -> ArrayRef {
            Arc::new(Float64Array::from(values.to_vec()))
        };
        let write = |labels: ArrayRef| {
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns());
            let columns = columns.map(|(field, column)| match field.name().as_str() {
                "label" => ("label", labels.clone()),
                name => (name, column.clone()),
            });
            write_batch(&path, &RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        };
        write(labels([Some(1.0), Some(0.0), None, Some(f64::NAN)]));
        let read = read_posts(&path).unwrap();
        let read: Vec<_> = read.iter().map(|post| post.label).collect();
        assert_eq!(read, [Some(Label::Fake), Some(Label::Real), None, None]);
        write(labels([Some(0.5); 4]));
        let said = message(&path);
        assert!(
            said.contains("column `label`") && said.contains("Float64"),
            "{said}"
        );
    }

    #[test]
    fn values_that_are_not_allowed_are_named_with_their_row() {
        let label = damaged(|columns| columns[3].1 = Arc::new(Int8Array::from(vec![7])));
        assert!(label.contains("row 1 of"), "{label}");
        assert!(label.contains("`7` in column `label`"), "{label}");
        let split = damaged(|columns| columns[4].1 = string(Some("half")));
        assert!(split.contains("`half` in column `split`"), "{split}");
        let id = damaged(|columns| columns[0].1 = string(None));
        assert!(id.contains("`null` in column `post_id`"), "{id}");
    }

    #[test]
    fn duplicate_ids_are_neither_written_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        let error = write_posts(&path, &[post("a"), post("a")]).unwrap_err();
        assert!(error.to_string().contains("row 2"), "{error}");
        let batch = to_batch(&Folder::of(&path).unwrap(), &[post("a"), post("b")]);
        let mut columns = batch.columns().to_vec();
        columns[0] = Arc::new(StringArray::from(vec!["a", "a"]));
        write_batch(
            &path,
            &RecordBatch::try_new(batch.schema(), columns).unwrap(),
        )
        .unwrap();
        assert!(
            message(&path).contains("every id once"),
            "{}",
            message(&path)
        );
    }

    prop_compose! {
        fn any_post()(
            text in ".{0,40}",
            images in prop::collection::vec("[a-zA-Z0-9é _.-]{1,12}", 0..4),
            label in prop::option::of(0..2i64),
            split in prop::sample::select(vec![Split::Train, Split::Validation, Split::Test]),
            event in prop::option::of(".{0,8}"),
            ocr_text in prop::option::of(".{0,8}"),
            cause in prop::option::of("mismatch|style"),
        ) -> Post {
            let images = images.iter().map(|name| Path::new("/pictures").join(name)).collect();
            let label = label.and_then(Label::from_index);
            Post { id: String::new(), text, images, label, split, event, ocr_text, cause }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn posts_survive_a_round_trip(posts in prop::collection::vec(any_post(), 0..6)) {
            let mut posts = posts;
            for (index, post) in posts.iter_mut().enumerate() {
                post.id = index.to_string();
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("posts.parquet");
            write_posts(&path, &posts).unwrap();
            prop_assert_eq!(read_posts(&path).unwrap(), posts);
        }
    }
}
