//! `mmfnd predict`: scores of any posts by a trained head.

use std::path::{Path, PathBuf};

use mmfnd_encode::{Options, Preset};
use mmfnd_features::Store;
use mmfnd_posts::{Label, Post};
use mmfnd_train::{
    Device, Model, Prediction, RunDir, write_predictions, write_predictions_with_aggregate,
};

use crate::outputs::check_file;
use crate::show::count::count;
use crate::store::encode;
use crate::store::load::load;

/// Score posts with a trained head
///
/// Writes post_id, label (1 fake, 0 real), p_fake, attention_text, attention_image, attention_cross and similarity;
/// nulls for a post without a usable picture, or without what the run was trained to need.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Posts, as `mmfnd import` writes them
    #[arg(long, value_name = "FILE")]
    posts: PathBuf,
    /// Feature store with their features
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// File to write: .parquet, .csv or .jsonl
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Encode the posts that are not in the store with this preset, a name or a TOML file, first
    #[arg(long, value_name = "PRESET")]
    pub(crate) preset: Option<String>,
    /// With --preset: append the text in the pictures for BERT, as the training posts had it
    #[arg(long, requires = "preset")]
    with_ocr: bool,
    /// Most megabytes of features in memory; what does not fit is read from the store as it is needed, with the same
    /// result
    #[arg(long, value_name = "MB")]
    memory_budget: Option<u64>,
    /// Keep what the classifier reads of each post, too: a column `aggregate` of lists of equal length. Written to
    /// RUN/aggregate.parquet, it is what `mmfnd report` draws figure 6 from
    #[arg(long)]
    with_aggregate: bool,
    /// Where to compute: flex, ndarray, wgpu or cuda
    #[arg(long, default_value = "flex")]
    device: Device,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    mmfnd_posts::check_table_path(&arguments.out)?;
    let (posts, run, store) = (&arguments.posts, &arguments.run, &arguments.store);
    // the only file of a run that this command replaces
    let own = RunDir::open(run)?.aggregate();
    let is_own = arguments.with_aggregate && arguments.out == own;
    match is_own {
        true => check_file(&arguments.out, &[posts, store])?,
        false => check_file(&arguments.out, &[posts, run, store])?,
    }
    let model = Model::load(&arguments.run, arguments.device)?;
    let posts = mmfnd_posts::read_posts(&arguments.posts)?;
    if let Some(preset) = &arguments.preset {
        let preset = encode::as_stored(&Preset::find(preset)?, &arguments.store);
        let posts = encode::choose_ocr(&arguments.posts, arguments.with_ocr)?;
        encode::encode_posts(posts, &preset, &arguments.store, &Options::default())?;
    }
    let store = Store::open(&arguments.store)?;
    let features = load(&store, &posts, model.encoders(), arguments.memory_budget)?;
    let rows: Vec<_> = (0..posts.len()).collect();
    let all: Vec<_> = posts.iter().collect();
    let predictions = match arguments.with_aggregate {
        true => {
            let scored = model.predict_with_aggregate(&features, &posts, &rows)?;
            let scores =
                |scored: &Option<(Prediction, _)>| scored.as_ref().map(|(score, _)| score.clone());
            let predictions = scored.iter().map(scores).collect();
            write_predictions_with_aggregate(&arguments.out, &all, (scored, model.extras()))?;
            predictions
        }
        false => {
            let predictions = model.predict(&features, &posts, &rows)?;
            write_predictions(&arguments.out, &all, (&predictions, model.extras()))?;
            predictions
        }
    };
    print(&posts, &predictions, &arguments.out);
    Ok(())
}

fn print(posts: &[Post], predictions: &[Option<Prediction>], out: &Path) {
    let labels: Vec<_> = predictions
        .iter()
        .flatten()
        .map(Prediction::label)
        .collect();
    let fakes = labels.iter().filter(|&&label| label == Label::Fake).count();
    println!(
        "{}: {fakes} taken for fake, {} for real, {} that cannot be scored",
        count(posts.len(), "post"),
        labels.len() - fakes,
        posts.len() - labels.len()
    );
    println!("predictions: `{}`", out.display());
}
