//! Posts that are gone through piece by piece, more than once: a list, or a file that need not fit into memory.

use std::path::Path;

use crate::{Error, Post, PostsFile};

/// Where posts come from.
#[derive(Clone, Copy, Debug)]
pub enum PostSource<'a> {
    /// Posts in memory.
    List(&'a [Post]),
    /// A `posts.parquet`.
    File(&'a Path),
    /// The same, as if nobody had read the text in the pictures.
    WithoutOcr(&'a Path),
}

impl PostSource<'_> {
    /// Goes through all posts, some thousands at a time.
    pub fn for_each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(&[Post]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::List(posts) => visit(posts),
            Self::File(path) => {
                for posts in PostsFile::open(path)? {
                    visit(&posts?)?;
                }
                Ok(())
            }
            Self::WithoutOcr(path) => {
                for posts in PostsFile::open(path)? {
                    let mut posts = posts?;
                    posts.iter_mut().for_each(|post| post.ocr_text = None);
                    visit(&posts)?;
                }
                Ok(())
            }
        }
    }

    /// The id of the post with this number, counted from 0, for messages; its number where it cannot be read any more.
    pub fn id_of(&self, number: usize) -> String {
        let mut left = number;
        let mut found = None;
        let read = self.for_each(|posts| {
            if found.is_none() {
                found = posts.get(left).map(|post| post.id.clone());
                left = left.saturating_sub(posts.len());
            }
            Ok::<(), Error>(())
        });
        let found = read.ok().and(found);
        found.unwrap_or_else(|| format!("number {}", number + 1))
    }
}

impl<'a> From<&'a [Post]> for PostSource<'a> {
    fn from(posts: &'a [Post]) -> Self {
        Self::List(posts)
    }
}

impl<'a> From<&'a Vec<Post>> for PostSource<'a> {
    fn from(posts: &'a Vec<Post>) -> Self {
        Self::List(posts)
    }
}

impl<'a, const N: usize> From<&'a [Post; N]> for PostSource<'a> {
    fn from(posts: &'a [Post; N]) -> Self {
        Self::List(posts)
    }
}

impl<'a> From<&'a Path> for PostSource<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Split, write_posts};

    #[test]
    fn a_file_and_a_list_give_the_same_posts_in_the_same_order() {
        let post = |number: usize| Post {
            id: number.to_string(),
            text: format!("text {number}"),
            images: Vec::new(),
            label: None,
            split: Split::Test,
            event: None,
            ocr_text: Some(format!("sign {number}")),
            cause: None,
        };
        let posts: Vec<Post> = (0..10_000).map(post).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.parquet");
        write_posts(&path, &posts).unwrap();
        let all = |source: PostSource<'_>| {
            let (mut all, mut pieces) = (Vec::new(), 0);
            let visit = |posts: &[Post]| {
                all.extend_from_slice(posts);
                pieces += 1;
                Ok::<(), Error>(())
            };
            source.for_each(visit).unwrap();
            (all, pieces)
        };
        let (from_file, pieces) = all(path.as_path().into());
        assert!(pieces > 1, "the file is read in pieces");
        assert!(from_file == posts && all((&posts).into()).0 == posts);
        let (without, _) = all(PostSource::WithoutOcr(&path));
        assert!(without.iter().all(|post| post.ocr_text.is_none()));
        assert!(without[9999].text == posts[9999].text && without.len() == posts.len());
        for number in [0, 4095, 4096, 9999] {
            assert_eq!(PostSource::File(&path).id_of(number), number.to_string());
        }
        assert_eq!(PostSource::File(&path).id_of(10_000), "number 10001");
    }
}
