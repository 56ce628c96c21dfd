//! What of a store is in memory while it is written to.

use mmfnd_features::{EncoderSpec, Input, Key, Link, ValueType};

use crate::fixture::{Fixture, spec};

const POSTS: usize = 20_000;
/// The most that the index may take, whatever the number of posts.
const BYTES_A_POST: usize = 64;

fn specs() -> [EncoderSpec; 4] {
    let one = |name, input| spec(name, input, &[1], ValueType::F16);
    [
        one("bert", Input::TextOcr),
        one("clip_text", Input::Text),
        one("clip_image", Input::Image),
        one("resnet", Input::Image),
    ]
}

/// Posts that share nothing: the most that there can be to know.
fn link(number: usize) -> Link {
    let key = |kind: &str| Key::of(format!("{kind} {number}").as_bytes());
    Link {
        post_id: format!("a rather long id of post {number}"),
        source_key: key("source"),
        text_key: key("text"),
        text_ocr_key: key("text"),
        image_key: Some(key("picture")),
        image: Some(format!("folder/of/pictures/{number}.jpg")),
        reason: None,
    }
}

#[test]
fn the_index_of_a_store_takes_at_most_64_bytes_a_post() {
    let fixture = Fixture::new();
    let links: Vec<Link> = (0..POSTS).map(link).collect();
    let mut writer = fixture.writer();
    for spec in specs() {
        let mut encoder = writer.encoder(&spec, false).unwrap();
        for some in links.chunks(POSTS / 4) {
            let key = |link: &Link| match spec.input {
                Input::Image => link.image_key.unwrap(),
                _ => link.text_key,
            };
            let keys: Vec<Key> = some.iter().map(key).collect();
            encoder.append(&keys, &vec![0.5; keys.len()]).unwrap();
        }
        let bytes = encoder.present().bytes();
        assert!(bytes <= 22 * POSTS, "{bytes} while it grows");
    }
    writer.write_links(&links).unwrap();
    drop(writer);

    let mut writer = fixture.writer();
    let encoders = specs().map(|spec| writer.encoder(&spec, false).unwrap());
    let keys: usize = encoders
        .iter()
        .map(|encoder| encoder.present().bytes())
        .sum();
    assert_eq!(encoders.map(|encoder| encoder.present().len()), [POSTS; 4]);
    assert!(keys <= BYTES_A_POST * POSTS, "{keys}");
    // Links are looked up when the encoders are done and gone.
    let index = writer.links().unwrap();
    assert!(links.iter().all(|link| index.has(link)));
    assert!(
        index.bytes() <= BYTES_A_POST / 2 * POSTS,
        "{}",
        index.bytes()
    );
}
