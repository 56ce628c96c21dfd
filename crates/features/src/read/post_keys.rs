//! The contents of some posts: their keys, checked against the posts' own texts.

use mmfnd_posts::Post;

use super::store::Store;
use crate::Error;
use crate::disk::part::Part;
use crate::identity::Input;
use crate::links::PostKeys;
use crate::links::link_part::for_each;

/// The newest links of `posts`; `None` for a post that has none.
pub(crate) fn find(parts: &[Part], posts: &[Post]) -> Result<Vec<Option<PostKeys>>, Error> {
    let mut order: Vec<u32> = (0..posts.len() as u32).collect();
    let id = |index: u32| posts[index as usize].id.as_str();
    order.sort_unstable_by_key(|&index| id(index));
    let mut found = vec![None; posts.len()];
    for_each(parts, |rows, row| {
        let post_id = rows.post_id(row);
        let first = order.partition_point(|&index| id(index) < post_id);
        let same = order[first..]
            .iter()
            .take_while(|&&index| id(index) == post_id);
        for &index in same {
            found[index as usize] = Some(rows.keys(row));
        }
    })?;
    Ok(found)
}

/// [`find`], where every post has to be linked and its text, if one of `inputs` is it, has to be the one that was
/// encoded.
///
/// Whether the text in the picture was appended is the store's choice (`encode --with-ocr`), but one for all posts.
pub(crate) fn require(
    store: &Store,
    posts: &[Post],
    inputs: &[Input],
) -> Result<Vec<PostKeys>, Error> {
    if let Some(shard) = store.shard() {
        return Err(Error::unfit(store.path(), shard.reads_refused()));
    }
    let found = find(store.links(), posts)?;
    let missing = || posts.iter().zip(&found).filter(|(_, keys)| keys.is_none());
    refuse(store, missing().map(|(post, _)| post), "not in")?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    let is_changed = |(post, keys): &(&Post, &PostKeys)| {
        let is_other = |keys: &PostKeys, input: Input| input.text_key(post) != keys.of(input);
        let mut inputs = inputs.iter();
        inputs.any(|input| match input {
            Input::TextOcr if !keys.has_ocr() => is_other(keys, Input::Text),
            Input::TextOcr | Input::Text => is_other(keys, *input),
            Input::Image => false,
        })
    };
    let changed = posts.iter().zip(&found).filter(is_changed);
    refuse(
        store,
        changed.map(|(post, _)| post),
        "not as it was encoded in",
    )?;
    if inputs.contains(&Input::TextOcr) {
        one_choice(store, posts, &found)?;
    }
    Ok(found)
}

/// Refuses posts of which some were encoded with the text in their pictures and some, though they have such text,
/// without.
fn one_choice(store: &Store, posts: &[Post], found: &[PostKeys]) -> Result<(), Error> {
    if !found.iter().any(PostKeys::has_ocr) {
        return Ok(());
    }
    let has_text = |post: &Post| Input::TextOcr.text_key(post) != Input::Text.text_key(post);
    let without = posts.iter().zip(found);
    let without = without.filter(|(post, keys)| !keys.has_ocr() && has_text(post));
    refuse(
        store,
        without.map(|(post, _)| post),
        "without the text in its picture, unlike other posts (`--with-ocr` is for all or for none), in",
    )
}

/// An error that names the first of `posts` and counts the others.
pub(crate) fn refuse<'a>(
    store: &Store,
    mut posts: impl Iterator<Item = &'a Post>,
    state: &str,
) -> Result<(), Error> {
    let Some(first) = posts.next() else {
        return Ok(());
    };
    let why = match posts.count() {
        0 => format!("is {state}"),
        others => format!("(and {others} more) is {state}"),
    };
    Err(Error::NotEncoded {
        store: store.path().to_owned(),
        post: first.id.clone(),
        why,
    })
}
