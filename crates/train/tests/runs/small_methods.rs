//! The other methods of Table 1, so small that an epoch takes milliseconds.

use mmfnd_posts::Post;
use mmfnd_train::{Config, RunOptions, RunSummary, train};

use crate::setup::{bytes, load, options};
use crate::world::World;

/// A method with options that make it small, the columns of predictions that it adds, and the losses that it names.
pub struct Method {
    pub kind: &'static str,
    pub options: &'static [&'static str],
    pub extras: &'static [&'static str],
    pub losses: &'static [&'static str],
}

pub const METHODS: [Method; 10] = [
    Method {
        kind: "fnd-clip",
        options: &["head.hidden=8", "head.branch=4"],
        extras: &[],
        losses: &[],
    },
    Method {
        kind: "eann",
        options: &["head.filters=4", "head.hidden=6"],
        extras: &[],
        losses: &["event"],
    },
    Method {
        kind: "safe",
        options: &[
            "head.reduced=4",
            "head.filters=4",
            "head.image_hidden=8",
            "head.width=4",
        ],
        extras: &["agreement"],
        losses: &["agreement"],
    },
    Method {
        kind: "cafe",
        options: &[
            "head.filters=4",
            "head.width=8",
            "head.shared=6",
            "head.branch=4",
        ],
        extras: &["ambiguity"],
        losses: &["align"],
    },
    Method {
        kind: "mcan",
        options: &[
            "head.width=8",
            "head.heads=2",
            "head.feed=16",
            "head.hidden=4",
        ],
        extras: &[],
        losses: &[],
    },
    Method {
        kind: "liimr",
        options: &[
            "head.width=8",
            "head.heads=2",
            "head.feed=16",
            "head.filters=4",
        ],
        extras: &["p_fake_text", "p_fake_image"],
        losses: &["judges"],
    },
    Method {
        kind: "mvae",
        options: &[
            "head.text_hidden=8",
            "head.image_hidden=8",
            "head.single=4",
            "head.latent=4",
        ],
        extras: &["error_text", "error_image"],
        losses: &["image", "kl", "text"],
    },
    Method {
        kind: "cmc",
        options: &["head.hidden=8", "head.projection=4", "head.negatives=16"],
        extras: &["p_fake_text", "p_fake_image"],
        losses: &["contrast", "image", "text"],
    },
    Method {
        kind: "mcnn",
        options: &["head.gru=4", "head.image_hidden=8", "head.width=4"],
        extras: &["agreement"],
        losses: &["agreement"],
    },
    Method {
        kind: "mkemn",
        options: &[
            "head.gru=4",
            "head.image=4",
            "head.filters=4",
            "head.width=6",
            "head.slots=3",
        ],
        extras: &[],
        losses: &[],
    },
];

/// Of the method of that name.
pub fn method(kind: &str) -> &'static Method {
    METHODS.iter().find(|method| method.kind == kind).unwrap()
}

/// Posts about a dozen events.
pub fn with_events(mut posts: Vec<Post>) -> Vec<Post> {
    for (i, post) in posts.iter_mut().enumerate() {
        post.event = Some(format!("event {}", i / 2 % 12));
    }
    posts
}

impl Method {
    pub fn config(&self, settings: &[&str]) -> Result<Config, mmfnd_train::Error> {
        let kind = format!("head.kind={}", self.kind);
        let common = [
            "train.epochs=4",
            "train.batch_size=16",
            "train.learning_rate=0.01",
        ];
        let settings = [self.options, &common, settings].concat();
        let settings = settings.into_iter().map(str::to_owned);
        Config::read(
            None,
            &[kind].into_iter().chain(settings).collect::<Vec<_>>(),
        )
    }
}

/// A run of all four epochs, and one that is killed in the third and resumed; both leave the same bytes.
pub fn run_and_resume(world: &World, config: &Config) -> RunSummary {
    let features = load(world);
    let kind = config.head.kind().name;
    let (whole, cut) = (format!("whole {kind}"), format!("cut {kind}"));
    let run = |name: &str, last: usize, resume| {
        let options = RunOptions {
            resume,
            ..options(&world.path(name))
        };
        train(&features, &world.posts, config, &options, &|report| {
            assert!(report.epoch <= last, "killed");
        })
    };
    let summary = run(&whole, 4, false).unwrap();
    assert!(std::panic::catch_unwind(|| run(&cut, 2, false)).is_err());
    run(&cut, 4, true).unwrap();
    for file in ["weights.safetensors", "metrics.json", "predictions.parquet"] {
        let (whole, cut) = (bytes(world, &whole, file), bytes(world, &cut, file));
        assert!(whole == cut, "{file} of {kind}");
    }
    summary
}
