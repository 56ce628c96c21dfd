//! One file of a finished run: `c` config.toml, `r` run.json, `e` metrics.jsonl, `m` metrics.json, `w` the weights; or, `k`, the checkpoint of an unfinished one.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mmfnd_fuzz::training::{self, World};
use mmfnd_fuzz::{Template, scratch, selected};
use mmfnd_posts::Split;
use mmfnd_train::{Device, Model, RunDir};

struct Runs {
    world: World,
    finished: (PathBuf, Template),
    stopped: (PathBuf, Template),
}

fn runs() -> &'static Runs {
    static RUNS: OnceLock<Runs> = OnceLock::new();
    RUNS.get_or_init(|| {
        let world = training::world();
        let [finished, stopped] = ["finished", "stopped"].map(|name| scratch().join(name));
        training::run(&world, &finished, usize::MAX).expect("it trains");
        let stop = || training::run(&world, &stopped, 1);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(stop));
        assert!(ended.is_err(), "it was stopped");
        Runs {
            finished: (finished.clone(), Template::of(&finished)),
            stopped: (stopped.clone(), Template::of(&stopped)),
            world,
        }
    })
}

fuzz_target!(|data: &[u8]| {
    let Runs {
        world,
        finished,
        stopped,
    } = runs();
    let (kind, bytes) = selected(data);
    let (name, (folder, template)) = match kind {
        b'c' => ("config.toml", finished),
        b'r' => ("run.json", finished),
        b'e' => ("metrics.jsonl", finished),
        b'm' => ("metrics.json", finished),
        b'w' => ("weights.safetensors", finished),
        b'k' => ("checkpoint/last.safetensors", stopped),
        _ => return,
    };
    template.restore();
    std::fs::write(folder.join(name), bytes).expect("it can be written");
    if kind == b'k' {
        let _ = training::run(world, folder, usize::MAX);
        return;
    }
    let run = RunDir::open(folder).expect("it has a run.json");
    let (config, info) = (run.config(), run.info());
    let _ = (
        run.epochs(),
        run.metrics()
            .map(|metrics| metrics.of(Split::Test).cloned()),
    );
    // Another configuration makes another head, as large as it says.
    if kind != b'c'
        && config.is_ok()
        && info.is_ok()
        && let Ok(model) = Model::load(folder, Device::default())
    {
        let _ = model.predict(&world.features, &world.posts, &[0, 1]);
    }
});
