//! Figures 4 and 5: accuracy and F1 against the number of experts.

use std::collections::BTreeMap;

use super::Input;
use crate::content::{Block, Cell, Figure, Table};
use crate::draw::Chart;
use crate::evidence::TestSet;
use crate::numbers::Spread;
use crate::runs::{Group, Metrics};

/// What the paper found best.
const PAPER: u64 = 3;

/// Groups that differ in the number of experts alone.
type Family<'a> = BTreeMap<u64, &'a Group>;

pub(super) fn blocks(input: &Input<'_>) -> Vec<Block> {
    let families: Vec<_> = (input.sets.iter())
        .filter_map(|set| Some((set, family(set)?)))
        .collect();
    if families.is_empty() {
        return Vec::new();
    }
    let accuracy = figure("experts-accuracy", "accuracy", &families, |metrics| {
        metrics.accuracy
    });
    let f1 = figure("experts-f1", "macro F1", &families, |metrics| {
        metrics.macro_f1
    });
    let verdicts = families
        .iter()
        .map(|(set, family)| Block::Text(verdict(set, family)));
    verdicts
        .chain([Block::Figures(vec![accuracy, f1])])
        .collect()
}

/// The largest set of whole heads that differ in `head.experts` (and `head.shared_experts`) alone, if there are two
/// or more.
fn family<'a>(set: &TestSet<'a>) -> Option<Family<'a>> {
    let mut families: Vec<(BTreeMap<_, _>, Family<'a>)> = Vec::new();
    for &group in &set.groups {
        let Some(experts) = group
            .origin
            .config
            .get("head.experts")
            .and_then(|value| value.as_u64())
        else {
            continue;
        };
        if !group.is_mmfnd() {
            continue;
        }
        let mut rest = group.origin.config.clone();
        rest.remove("head.experts");
        rest.remove("head.shared_experts");
        match families.iter_mut().find(|(other, _)| *other == rest) {
            Some((_, family)) => {
                family.entry(experts).or_insert(group);
            }
            None => families.push((rest, Family::from([(experts, group)]))),
        }
    }
    let largest = families
        .into_iter()
        .map(|(_, family)| family)
        .max_by_key(BTreeMap::len)?;
    (largest.len() > 1).then_some(largest)
}

fn values(group: &Group, of: fn(&Metrics) -> f64) -> Vec<f64> {
    group.values(|run| Some(of(&run.test)))
}

fn figure(
    id: &str,
    name: &str,
    families: &[(&TestSet<'_>, Family<'_>)],
    of: fn(&Metrics) -> f64,
) -> Figure {
    let title = format!("Test {name} against the number of experts");
    let description = format!(
        "Line: mean over the seeds; band: 95 % interval of the mean; points: single seeds. The dashed line marks {PAPER} experts, the paper's choice."
    );
    let all = families.iter().flat_map(|(_, family)| family.values());
    let all = all.flat_map(|group| {
        let values = values(group, of);
        let interval = Spread::of(&values).and_then(|spread| spread.interval);
        let ends = interval.into_iter().flat_map(|(low, high)| [low, high]);
        ends.chain(values).collect::<Vec<_>>()
    });
    let (low, high) = all.fold((1.0_f64, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let margin = ((high - low) * 0.08).max(0.01);
    let y = ((low - margin).max(0.0), (high + margin).min(1.0));
    let counts = families.iter().flat_map(|(_, family)| family.keys());
    let counts = counts.copied().chain([PAPER]); // its line stands inside the frame, whatever was swept
    let (first, last) = (
        counts.clone().min().unwrap_or(PAPER) as f64,
        counts.max().unwrap_or(PAPER) as f64,
    );
    let mut chart = Chart::new(id, &title, &description, ("experts in each group", name))
        .ranges((first - 0.4, last + 0.4), y)
        .whole_numbers()
        .reference(
            "the paper's choice",
            &[(PAPER as f64, y.0), (PAPER as f64, y.1)],
        );
    let columns = [
        "test set",
        "#experts",
        "#seeds",
        &format!("#mean {name}"),
        "#sd",
        "#interval from",
        "#to",
    ];
    let mut data = Table::new(format!("{id}-data"), title.clone(), &columns);
    for (index, (set, family)) in families.iter().enumerate() {
        let (mut line, mut band, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for (&experts, group) in family {
            let Some(spread) = Spread::of(&values(group, of)) else {
                continue;
            };
            let x = experts as f64;
            line.push((x, spread.mean));
            if let Some((from, to)) = spread.interval {
                band.push((x, from.max(y.0), to.min(y.1)));
            }
            for run in &group.runs {
                let value = of(&run.test);
                points.push((
                    x,
                    value,
                    format!("{experts} experts, seed {}: {value:.3}", run.seed),
                ));
            }
            let (from, to) = spread.interval.unzip();
            data.rows.push(vec![
                Cell::text(set.name.clone()),
                Cell::count(experts as usize),
                Cell::count(spread.n),
                Cell::share(spread.mean),
                Cell::share(spread.sd),
                Cell::share(from),
                Cell::share(to),
            ]);
        }
        if band.len() > 1 {
            chart = chart.band(index, &band);
        }
        chart = chart.line(&set.name, index, &line).points(index, &points);
    }
    Figure {
        svg: chart.svg(),
        id: id.to_owned(),
        title,
        description,
        data,
    }
}

/// Whether the means differ by more than two standard errors of such a difference.
fn verdict(set: &TestSet<'_>, family: &Family<'_>) -> String {
    let spreads: Vec<_> = (family.iter())
        .filter_map(|(&experts, group)| {
            Some((
                experts,
                Spread::of(&values(group, |metrics| metrics.accuracy))?,
            ))
        })
        .collect();
    let extreme = |sign: f64| {
        spreads
            .iter()
            .max_by(|a, b| (a.1.mean * sign).total_cmp(&(b.1.mean * sign)))
    };
    let (Some((best, high)), Some((worst, low))) = (extreme(1.0), extreme(-1.0)) else {
        return String::new();
    };
    let variances: Vec<_> = spreads
        .iter()
        .filter_map(|(_, spread)| spread.sd)
        .map(|sd| sd * sd)
        .collect();
    let difference = high.mean - low.mean;
    let means = format!(
        "Of E experts in each group on {}: the mean test accuracy is highest with E = {best} ({:.3}) and lowest with E = {worst} ({:.3}), a difference of {difference:.3}.",
        set.name, high.mean, low.mean
    );
    if variances.is_empty() {
        return means
            + " With one seed nothing can be said about whether that is more than chance.";
    }
    let sd = (variances.iter().sum::<f64>() / variances.len() as f64).sqrt();
    let error = sd * (1.0 / high.n as f64 + 1.0 / low.n as f64).sqrt();
    let verdict = match difference > 2.0 * error {
        true => "That is more than two standard errors of a difference between two means",
        false => {
            "That is not more than two standard errors of a difference between two means: the seeds' spread explains it"
        }
    };
    format!(
        "{means} {verdict} (standard deviation over seeds {sd:.3}, standard error {error:.3}; of {} means the two extremes were picked).",
        spreads.len()
    )
}
