//! What tells the features and posts of one run from those of another.

use mmfnd_features::{EncoderSpec, Features, Key};
use mmfnd_posts::Post;

/// The specs of the encoders that a head reads.
pub(crate) fn specs(features: &Features, encoders: &[&str]) -> Vec<EncoderSpec> {
    let is_read = |spec: &&EncoderSpec| encoders.contains(&spec.name.as_str());
    features.specs.iter().filter(is_read).cloned().collect()
}

/// Hash over what a run takes from the posts and over which pictures they have.
pub(crate) fn fingerprint(posts: &[Post], features: &Features) -> String {
    let line = |(post, key): (&Post, &Option<Key>)| {
        let Post {
            id,
            split,
            label,
            event,
            ..
        } = post;
        let text = post.encoder_text();
        format!("{id:?} {split} {label:?} {event:?} {key:?} {text:?}\n")
    };
    let lines: String = posts.iter().zip(&features.image_key).map(line).collect();
    Key::of(lines.as_bytes()).to_string()
}
