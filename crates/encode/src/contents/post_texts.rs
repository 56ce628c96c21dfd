//! The texts of all posts, on the disk as soon as they are many: batches take them in the order of their lengths, and
//! memory must not grow with them.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mmfnd_features::Input;
use mmfnd_posts::Post;
use tempfile::{SpooledData, SpooledTempFile, spooled_tempfile_in};

use crate::error::Error;

/// Bytes of texts up to which they stay in memory.
const MEMORY: usize = 8 << 20;

/// Texts being gathered.
pub(crate) struct Gathering {
    folder: PathBuf,
    file: SpooledTempFile,
    /// What of a piece is not written yet.
    waiting: Vec<u8>,
    written: u64,
    ends: Vec<u64>,
    own: Vec<u32>,
}

/// Texts by the number of their post; 12 bytes a post are in memory.
#[derive(Default)]
pub(crate) struct PostTexts {
    /// Where the file lies, for messages.
    folder: PathBuf,
    data: Data,
    /// Where each post's texts end.
    ends: Vec<u64>,
    /// Bytes of the post's own text; the text found in its picture follows it.
    own: Vec<u32>,
}

enum Data {
    Memory(Vec<u8>),
    Disk(Mutex<File>),
}

impl Default for Data {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

impl Gathering {
    /// The file has no name and goes with its process, however that ends.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            file: spooled_tempfile_in(MEMORY, folder),
            waiting: Vec::new(),
            written: 0,
            ends: Vec::new(),
            own: Vec::new(),
        }
    }

    /// Adds the texts of the next posts.
    pub(crate) fn add(&mut self, posts: &[Post]) -> Result<(), Error> {
        self.write(posts).map_err(Error::io(&self.folder))
    }

    fn write(&mut self, posts: &[Post]) -> io::Result<()> {
        for post in posts {
            let text = post.encoder_text();
            debug_assert!(text.starts_with(&post.text));
            self.waiting.extend_from_slice(text.as_bytes());
            self.ends.push(self.written + self.waiting.len() as u64);
            let own = u32::try_from(post.text.len());
            self.own.push(own.map_err(|_| io::ErrorKind::FileTooLarge)?);
            if self.waiting.len() > MEMORY / 8 {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.waiting)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// All posts are there.
    pub(crate) fn finish(mut self) -> PostTexts {
        self.ends.shrink_to_fit();
        self.own.shrink_to_fit();
        PostTexts {
            folder: self.folder,
            data: match self.file.into_inner() {
                SpooledData::InMemory(cursor) => Data::Memory(Cursor::into_inner(cursor)),
                SpooledData::OnDisk(file) => Data::Disk(file.into()),
            },
            ends: self.ends,
            own: self.own,
        }
    }
}

impl PostTexts {
    /// The text that an encoder with this input sees of a post.
    pub(crate) fn read(&self, post: u32, input: Input) -> Result<String, Error> {
        self.text(post, input).map_err(Error::io(&self.folder))
    }

    fn text(&self, post: u32, input: Input) -> io::Result<String> {
        let post = post as usize;
        let start = post.checked_sub(1).map_or(0, |before| self.ends[before]);
        let length = match input {
            Input::Text => self.own[post] as usize,
            Input::TextOcr => (self.ends[post] - start) as usize,
            Input::Image => unreachable!("only text encoders come here"),
        };
        let mut bytes = vec![0; length];
        match &self.data {
            Data::Memory(data) => bytes.copy_from_slice(&data[start as usize..][..length]),
            Data::Disk(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(&mut bytes)?;
            }
        }
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use mmfnd_posts::Split;

    use super::*;

    #[test]
    fn texts_come_back_as_they_were_from_memory_and_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        for filler in [10, 30_000] {
            let post = |number: usize| Post {
                id: number.to_string(),
                text: format!("é{number} {}", "x".repeat(filler)),
                images: Vec::new(),
                label: None,
                split: Split::Test,
                event: None,
                ocr_text: (number % 2 == 1).then(|| format!(" {number} ")),
                cause: None,
            };
            let posts: Vec<Post> = (0..400).map(post).collect();
            let mut gathering = Gathering::new(folder.path());
            gathering.add(&posts[..150]).unwrap();
            gathering.add(&posts[150..]).unwrap();
            let texts = gathering.finish();
            assert_eq!(matches!(texts.data, Data::Disk(_)), filler > 10);
            for number in [399, 0, 1, 149, 150, 151] {
                let read = |input| texts.read(number as u32, input).unwrap();
                assert_eq!(read(Input::Text), posts[number].text);
                assert_eq!(read(Input::TextOcr), posts[number].encoder_text());
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
