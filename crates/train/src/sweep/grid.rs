//! The grid of a sweep: axes as they are typed (`head.experts=1..6`, `train.learning_rate=1e-4,5e-4`), and the
//! configuration of each of its points.

use std::path::Path;

use toml::Value;

use crate::Error;
use crate::config::{Config, full_key, leaves};

/// Most points that a grid may have; beyond that it is a typing error.
const MOST_POINTS: usize = 100_000;

/// A key of the configuration and the values that it takes in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Such as `head.experts`.
    pub key: String,
    /// Without repetition.
    pub values: Vec<Value>,
}

/// One combination of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Such as `experts=3,learning_rate=0.0005`; empty where there is no axis. Fit for a folder.
    pub name: String,
    /// A value per axis.
    pub values: Vec<Value>,
    /// What is trained.
    pub config: Config,
}

/// All combinations of the values of some axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Without the axes.
    pub base: Config,
    /// In the order in which they were given.
    pub axes: Vec<Axis>,
    /// The last axis changes fastest.
    pub points: Vec<Point>,
}

/// An axis as it was typed.
struct Typed<'a> {
    text: &'a str,
    key: String,
    values: Vec<String>,
}

impl Grid {
    /// From an experiment file, settings and axes; everything is checked here, so that no run fails for its
    /// configuration.
    pub fn read(file: Option<&Path>, settings: &[String], axes: &[String]) -> Result<Self, Error> {
        let base = Config::read(file, settings)?;
        let axes = axes.iter().map(|text| Typed::read(text));
        let axes = axes.collect::<Result<Vec<_>, _>>()?;
        for (index, axis) in axes.iter().enumerate() {
            if axes[..index].iter().any(|other| other.key == axis.key) {
                return Err(problem(
                    axis.text,
                    &format!("`{}` is an axis already", axis.key),
                ));
            }
        }
        let combinations = combinations(&axes)?;
        let point = |values: &Vec<&str>| -> Result<Point, Error> {
            let more = axes
                .iter()
                .zip(values)
                .map(|(axis, value)| format!("{}={value}", axis.key));
            let config = Config::read(
                file,
                &settings.iter().cloned().chain(more).collect::<Vec<_>>(),
            );
            Ok(Point::new(
                &axes,
                config.map_err(|error| named(&axes, error))?,
            ))
        };
        let points = combinations
            .iter()
            .map(point)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            base,
            axes: resolved(&axes, &points)?,
            points: unique(points)?,
        })
    }

    /// Keys without their section, where that is enough to tell them apart.
    pub fn short_keys(&self) -> Vec<&str> {
        let keys: Vec<_> = self.axes.iter().map(|axis| axis.key.as_str()).collect();
        short(&keys)
    }
}

impl Point {
    /// Its values are those of the whole configuration: `w/o A` and `without-a` are one value, 1 and 1.0 of a real
    /// number too.
    fn new(axes: &[Typed], config: Config) -> Self {
        let leaves = leaves(&config);
        let value = |axis: &Typed| {
            let leaf = leaves.iter().find(|(key, _)| *key == axis.key);
            leaf.expect("a key that was set is there").1.clone()
        };
        let values: Vec<_> = axes.iter().map(value).collect();
        let keys: Vec<_> = axes.iter().map(|axis| axis.key.as_str()).collect();
        Self {
            name: name(&keys, &values),
            values,
            config,
        }
    }
}

impl<'a> Typed<'a> {
    fn read(text: &'a str) -> Result<Self, Error> {
        let Some((key, values)) = text.split_once('=') else {
            return Err(problem(
                text,
                "write it as `--grid head.experts=1..6` or `--grid head.experts=1,2,4`",
            ));
        };
        let key = full_key(key.trim());
        if key == "train.seed" {
            return Err(problem(
                text,
                "seeds are no axis: give their number with `--seeds`",
            ));
        }
        Ok(Self {
            text,
            key,
            values: split(text, values)?,
        })
    }
}

/// `1..6` and `1,2,4`; commas in brackets or quotes do not separate.
fn split(text: &str, values: &str) -> Result<Vec<String>, Error> {
    if let Some((first, last)) = values.split_once("..") {
        let number = |end: &str| end.trim().parse::<i64>();
        let (Ok(first), Ok(last)) = (number(first), number(last)) else {
            return Err(problem(
                text,
                "a range is two whole numbers, both of them included, such as `1..6`",
            ));
        };
        if first > last {
            return Err(problem(
                text,
                "a range goes from the smaller number to the larger one, such as `1..6`",
            ));
        }
        if last.abs_diff(first) >= MOST_POINTS as u64 {
            let values = i128::from(last) - i128::from(first) + 1;
            return Err(problem(
                text,
                &format!(
                    "the range has {values} values, and a grid at most {MOST_POINTS} points; leave out values"
                ),
            ));
        }
        return Ok((first..=last).map(|value| value.to_string()).collect());
    }
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for c in values.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth -= 1,
            _ => {}
        }
        match c == ',' && depth == 0 && !quoted {
            true => parts.push(String::new()),
            false => parts.last_mut().expect("there is one").push(c),
        }
    }
    let parts: Vec<_> = parts.iter().map(|part| part.trim().to_owned()).collect();
    match parts.iter().any(String::is_empty) {
        true => Err(problem(
            text,
            "a value is missing; write `--grid head.experts=1,2,4`",
        )),
        false => Ok(parts),
    }
}

/// All of them, the last axis changing fastest.
fn combinations<'a>(axes: &'a [Typed]) -> Result<Vec<Vec<&'a str>>, Error> {
    let size = axes
        .iter()
        .try_fold(1_usize, |size, axis| size.checked_mul(axis.values.len()));
    if size.is_none_or(|size| size > MOST_POINTS) {
        return Err(Error::Config {
            place: "`--grid`".into(),
            problem: format!("the grid has more than {MOST_POINTS} points; leave out values"),
        });
    }
    let mut combinations = vec![Vec::new()];
    for axis in axes {
        let extended = combinations.iter().flat_map(|values: &Vec<&str>| {
            axis.values
                .iter()
                .map(|value| [&values[..], &[value.as_str()]].concat())
        });
        combinations = extended.collect();
    }
    Ok(combinations)
}

/// The axes with the values that their points have; as many as were typed.
fn resolved(axes: &[Typed], points: &[Point]) -> Result<Vec<Axis>, Error> {
    let axis = |(index, typed): (usize, &Typed)| {
        let mut values: Vec<Value> = Vec::new();
        for point in points {
            if !values.contains(&point.values[index]) {
                values.push(point.values[index].clone());
            }
        }
        match values.len() == typed.values.len() {
            true => Ok(Axis {
                key: typed.key.clone(),
                values,
            }),
            false => Err(problem(typed.text, "a value stands there twice")),
        }
    };
    axes.iter().enumerate().map(axis).collect()
}

/// Names become folders: two values that differ only in characters that no folder can have are refused.
fn unique(points: Vec<Point>) -> Result<Vec<Point>, Error> {
    let mut names: Vec<_> = points.iter().map(|point| &point.name).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::Config {
            place: "`--grid`".into(),
            problem: format!(
                "two points would have the folder `{}`; sweep over them one after the other",
                pair[0]
            ),
        }),
        None => Ok(points),
    }
}

fn name(keys: &[&str], values: &[Value]) -> String {
    let pairs = short(keys).into_iter().zip(values);
    let pairs = pairs.map(|(key, value)| format!("{key}={}", for_a_folder(&show(value))));
    pairs.collect::<Vec<_>>().join(",")
}

/// A value as people write it: text without quotation marks.
pub fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn for_a_folder(value: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    value
        .chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect()
}

fn short<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let last = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let shorten = |&key: &&'a str| {
        let alike = keys.iter().filter(|other| last(other) == last(key)).count();
        if alike == 1 { last(key) } else { key }
    };
    keys.iter().map(shorten).collect()
}

fn problem(text: &str, problem: &str) -> Error {
    Error::Config {
        place: format!("`--grid {text}`"),
        problem: problem.to_owned(),
    }
}

/// What is wrong with a setting, as what is wrong with the axis that it comes from.
fn named(axes: &[Typed], error: Error) -> Error {
    let Error::Config {
        place,
        problem: what,
    } = error
    else {
        return error;
    };
    let sets = |axis: &&Typed| {
        let mut values = axis.values.iter();
        values.any(|value| place == format!("`--set {}={value}`", axis.key))
    };
    match axes.iter().find(sets) {
        Some(axis) => problem(axis.text, &what),
        None => Error::Config {
            place,
            problem: what,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn grid(axes: &[&str]) -> Result<Grid, Error> {
        let axes: Vec<_> = axes.iter().map(|&axis| axis.to_owned()).collect();
        Grid::read(None, &["train.epochs=3".to_owned()], &axes)
    }

    fn refused(axes: &[&str]) -> String {
        grid(axes).unwrap_err().to_string()
    }

    #[test]
    fn a_grid_is_all_combinations_with_the_last_axis_changing_fastest() {
        let grid = grid(&["head.experts=1..3", "train.learning_rate=1e-4,5e-4"]).unwrap();
        let names: Vec<_> = grid
            .points
            .iter()
            .map(|point| point.name.as_str())
            .collect();
        assert_eq!(names.len(), 6);
        assert_eq!(
            names[..2],
            [
                "experts=1,learning_rate=0.0001",
                "experts=1,learning_rate=0.0005"
            ]
        );
        let last = &grid.points[5];
        assert_eq!(last.values, [Value::from(3), Value::from(5e-4)]);
        assert_eq!(
            (last.config.train.learning_rate, last.config.train.epochs),
            (5e-4, 3)
        );
        assert_eq!(grid.base.train.learning_rate, 1e-4);
    }

    #[test]
    fn without_an_axis_there_is_one_point() {
        let grid = grid(&[]).unwrap();
        assert_eq!((grid.points.len(), grid.points[0].name.as_str()), (1, ""));
    }

    #[test]
    fn an_axis_that_is_no_key_is_named_with_the_nearest() {
        let error = refused(&["head.expert=1..6"]);
        assert!(
            error.contains("--grid head.expert=1..6") && error.contains("`head.experts`"),
            "{error}"
        );
    }

    #[test]
    fn the_short_names_of_keys_are_the_keys() {
        let grid = grid(&["model.experts=1..2", "train.lr=1e-4,5e-4"]).unwrap();
        assert_eq!(grid.axes[0].key, "head.experts");
        assert_eq!(grid.points[3].name, "experts=2,learning_rate=0.0005");
    }

    #[test]
    fn a_value_out_of_range_or_of_another_type_is_named_with_its_axis() {
        let error = refused(&["head.experts=6..9"]);
        assert!(
            error.contains("--grid head.experts=6..9")
                && error.contains("is 9; it has to be from 1 to 8"),
            "{error}"
        );
        let error = refused(&["train.epochs=1,many"]);
        assert!(
            error.contains("--grid train.epochs=1,many") && error.contains("many"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_list_of_values_is_refused() {
        for axis in [
            "head.experts",
            "head.experts=",
            "head.experts=1,,2",
            "head.experts=6..1",
            "head.experts=a..b",
            "head.dropout=0.1..0.5",
        ] {
            let error = refused(&[axis]);
            assert!(error.contains(&format!("`--grid {axis}`")), "{error}");
        }
    }

    #[test]
    fn a_range_of_too_many_values_is_named_with_their_number() {
        let error = refused(&["head.experts=1..1000000000"]);
        let why = "the range has 1000000000 values, and a grid at most 100000 points";
        assert!(error.contains(why), "{error}");
        let all = format!("head.experts={}..{}", i64::MIN, i64::MAX);
        assert!(refused(&[&all]).contains("18446744073709551616 values"));
    }

    #[test]
    fn nothing_is_trained_twice() {
        assert!(refused(&["head.ablation=w/o A,without-a"]).contains("twice"));
        assert!(refused(&["train.weight_decay=0,0.0"]).contains("twice"));
        assert!(refused(&["head.experts=1,2", "head.experts=3"]).contains("an axis already"));
        assert!(refused(&["train.seed=1..3"]).contains("--seeds"));
    }

    #[test]
    fn names_are_fit_for_folders_and_keep_sections_where_needed() {
        assert_eq!(for_a_folder("w/o A"), "w_o_A");
        assert_eq!(short(&["a.x", "b.x", "b.y"]), ["a.x", "b.x", "y"]);
    }
}
