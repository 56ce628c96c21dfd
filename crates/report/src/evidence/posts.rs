//! A posts file, by id.

use std::collections::HashMap;
use std::path::Path;

use mmfnd_posts::{Error, Post, read_posts};

use super::audit::{self, ImportFile};
use crate::runs::Problem;

/// A posts file with its audit.
#[derive(Debug)]
pub struct PostsFile {
    /// The folder's name, which is the dataset's for people.
    pub name: String,
    /// What the import found, where it wrote that down.
    pub import: Option<ImportFile>,
    posts: Vec<Post>,
    rows: HashMap<String, usize>,
}

impl PostsFile {
    /// Reads posts; a damaged `import.json` beside them is a problem for the page.
    pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Result<Self, Error> {
        let posts = read_posts(path)?;
        let rows = (posts.iter().enumerate())
            .map(|(row, post)| (post.id.clone(), row))
            .collect();
        let import = audit::beside(path).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        Ok(Self {
            name: name(path, import.as_ref()),
            import,
            posts,
            rows,
        })
    }

    /// The post of an id.
    pub fn get(&self, id: &str) -> Option<&Post> {
        self.rows.get(id).map(|&row| &self.posts[row])
    }
}

/// `data/twitter/posts.parquet` is called twitter, `data/demo/posts/posts.parquet` demo.
fn name(path: &Path, import: Option<&ImportFile>) -> String {
    let folders = path.ancestors().skip(1);
    let mut names = folders.filter_map(|folder| folder.file_name()?.to_str());
    let named = names.find(|name| *name != "posts");
    let dataset = || import.map(|import| import.dataset.clone());
    named
        .map(str::to_owned)
        .or_else(dataset)
        .unwrap_or_else(|| "posts".to_owned())
}
