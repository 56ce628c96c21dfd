//! `mmfnd ablate`: Table 2 of the paper, the whole head and its eight ablations, with several seeds.

use crate::heads::sweep::{Common, sweep};
use crate::show::sweep_table::Names;

/// Train the whole head and its eight ablations (Table 2 of the paper) with several seeds
///
/// A sweep over head.ablation; see `mmfnd sweep --help` for what it writes and how it goes on after an interruption.
/// Each ablation is compared with the whole head.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    /// Of an ablation study that another command does.
    pub(crate) fn of(common: Common) -> Self {
        Self { common }
    }
}

/// Values of `head.ablation` and the paper's names of the models, in the paper's order.
const MODELS: [(&str, &str); 9] = [
    ("multimodal-only", "multimodal only"),
    ("text-only", "text only"),
    ("image-only", "image only"),
    ("without-a", "w/o A"),
    ("without-f", "w/o F"),
    ("without-c", "w/o C"),
    ("without-s", "w/o S"),
    ("without-p", "w/o P"),
    ("none", "MMFND"),
];

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let values = MODELS.map(|(value, _)| value).join(",");
    let grid = arguments
        .common
        .grid(&[format!("head.ablation={values}")])?;
    let whole = MODELS.iter().position(|(value, _)| *value == "none");
    sweep(
        "ablate",
        &grid,
        arguments.common,
        (
            whole,
            &Names::Given("model", MODELS.map(|(_, name)| name).to_vec()),
        ),
        &|_| Ok(String::new()),
    )
}
