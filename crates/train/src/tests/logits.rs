//! What a head is given of an encoder's own classification layer.

use burn::tensor::Device;
use mmfnd_features::{Features, Store};

use super::world::{CLASSES, World, posts, row};
use crate::data::{Dataset, Prefetch};
use crate::{Config, ENCODERS};

/// Features of a post in [`World::with_all`] by the column's place; the store has them as float16.
fn features(world: &World, post: usize, column: usize) -> Vec<f64> {
    let values = row(&world.posts[post], column).into_iter();
    values.map(|x| half::f16::from_f32(x).to_f64()).collect()
}

#[test]
fn logits_are_what_the_layer_makes_of_the_features_and_vggs_are_rectified_first() {
    let world = World::with_all(posts(8));
    let store = Store::open(&world.path("store")).unwrap();
    let vgg = ENCODERS.len();
    for (inputs, column) in [("frozen", 3), ("faithful", vgg)] {
        let settings = ["head.kind=eann".to_owned(), format!("head.inputs={inputs}")];
        let config = Config::read(None, &settings).unwrap();
        let encoders = config.encoders();
        let features_read = Features::load(&store, &world.posts, &encoders).unwrap();
        let dataset = Dataset::new(&features_read, &world.posts, &config).unwrap();
        for device in [Device::flex(), Device::flex().autodiff()] {
            let mut batches = Prefetch::new(&dataset, vec![vec![2, 5]]);
            let logits = batches.next(&device).unwrap().image_logits.unwrap();
            assert_eq!(logits.dims(), [2, CLASSES]);
            let logits: Vec<f32> = logits.into_data().try_into_vec().unwrap();
            for (found, post) in logits.chunks_exact(CLASSES).zip([2, 5]) {
                let x = features(&world, post, column);
                assert!(x.iter().any(|&x| x < 0.0), "a ReLU would show");
                let x = x
                    .iter()
                    .map(|&x| if column == vgg { x.max(0.0) } else { x });
                let x: Vec<_> = x.collect();
                for (class, &found) in found.iter().enumerate() {
                    // weight 0.1, 0.2, …; bias 1, 2, …
                    let weight = |i: usize| (class * x.len() + i + 1) as f64 * 0.1;
                    let products = x.iter().enumerate().map(|(i, x)| x * weight(i));
                    let expected = products.sum::<f64>() + (class + 1) as f64;
                    assert!(
                        (f64::from(found) - expected).abs() < 1e-4,
                        "{found} {expected}"
                    );
                }
            }
        }
    }
}
