//! One file of a sweep whose runs are finished: `s` sweep.json, `r` runs.jsonl, `p` the predictions of its run.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use libfuzzer_sys::fuzz_target;
use mmfnd_fuzz::training::{self, World};
use mmfnd_fuzz::{Template, scratch, selected};
use mmfnd_train::grid::Grid;
use mmfnd_train::{Error, Event, Summary, Sweep, SweepOptions};

struct Swept {
    world: World,
    grid: Grid,
    folder: PathBuf,
    template: Template,
}

fn options(folder: &Path) -> SweepOptions {
    SweepOptions {
        out: folder.to_owned(),
        jobs: 1,
        seeds: 1,
        store: "s".to_owned(),
        ..SweepOptions::default()
    }
}

fn sweep(world: &World, grid: &Grid, folder: &Path) -> Result<(), Error> {
    let options = options(folder);
    let sweep = Sweep {
        features: &world.features,
        posts: &world.posts,
        grid,
        options: &options,
    };
    let records = sweep.run(&|event| {
        // A sweep goes on after a run that panics; here that is a finding.
        if let Event::Ended(record) = event {
            let error = record.error.as_deref().unwrap_or_default();
            assert!(!error.starts_with("the program has a fault"), "{error}");
        }
    })?;
    Summary::of(&sweep, &records, None)?.write(folder)
}

fn swept() -> &'static Swept {
    static SWEPT: OnceLock<Swept> = OnceLock::new();
    SWEPT.get_or_init(|| {
        let world = training::world();
        let axes = ["head.experts=1,2".to_owned()];
        let grid = Grid::read(None, &training::settings(), &axes).expect("it is a grid");
        let folder = scratch().join("sweep");
        sweep(&world, &grid, &folder).expect("it trains");
        Swept {
            template: Template::of(&folder),
            world,
            grid,
            folder,
        }
    })
}

fuzz_target!(init: mmfnd_fuzz::let_panics_be_caught(), |data: &[u8]| {
    let Swept {
        world,
        grid,
        folder,
        template,
    } = swept();
    let (kind, bytes) = selected(data);
    let name = match kind {
        b's' => "sweep.json",
        b'r' => "runs.jsonl",
        b'p' => "runs/experts=1,seed=1/predictions.parquet",
        _ => return,
    };
    // Burn keeps the parameters of models that were not trained until the next backward pass of any.
    static INPUTS: AtomicUsize = AtomicUsize::new(0);
    if INPUTS.fetch_add(1, Ordering::Relaxed) % 100 == 0 {
        let trained = scratch().join("trained");
        let _ = std::fs::remove_dir_all(&trained);
        training::run(world, &trained, usize::MAX).expect("it trains");
    }
    template.restore();
    std::fs::write(folder.join(name), bytes).expect("it can be written");
    let _ = sweep(world, grid, folder);
});
