//! Short names of keys that are taken wherever a key is (`model.` for `head.`, `train.lr` for `train.learning_rate`),
//! and the key that a mistyped one may have meant.

use toml::{Table, Value};

/// The key that a short name stands for; any other key as it is.
pub(crate) fn full_key(key: &str) -> String {
    match key.split_once('.') {
        Some(("model", option)) => format!("head.{option}"),
        Some(("train", "lr")) => "train.learning_rate".to_owned(),
        _ => key.to_owned(),
    }
}

/// A file's table with full keys; what is set by both of its names is an error.
pub(crate) fn with_full_keys(table: Table) -> Result<Table, String> {
    let mut full = Table::new();
    for (section, values) in table {
        let Value::Table(values) = values else {
            full.insert(section, values);
            continue;
        };
        // a section stays, also if nothing is set in it
        let section_key = full_key(&format!("{section}."));
        full.entry(section_key.trim_end_matches('.'))
            .or_insert_with(|| Value::Table(Table::new()));
        for (name, value) in values {
            let key = full_key(&format!("{section}.{name}"));
            let (target, option) = key.split_once('.').unwrap_or((&section, &name));
            let Some(Value::Table(target)) = full.get_mut(target) else {
                return Err(format!("`{target}` has to be a section `[{target}]`"));
            };
            if target.insert(option.to_owned(), value).is_some() {
                return Err(format!(
                    "`{key}` is set twice, by its own name and by a short one"
                ));
            }
        }
    }
    Ok(full)
}

/// The known key that is most like one which is unknown; of names that are alike in several sections that of the
/// section that is named.
pub(super) fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    let likeness = |name: &str| (likeness(name, key), strsim::jaro_winkler(name, key));
    known.iter().max_by(|a, b| {
        let ((a, whole_a), (b, whole_b)) = (likeness(a), likeness(b));
        a.total_cmp(&b).then(whole_a.total_cmp(&whole_b))
    })
}

/// 0 to 1; 1 also for initials, such as `lr` for `learning_rate`.
fn likeness(name: &str, key: &str) -> f64 {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let (short_name, short_key) = (last(name), last(key));
    let initials: String = short_name
        .split('_')
        .filter_map(|word| word.chars().next())
        .collect();
    if initials.len() > 1 && initials == short_key {
        return 1.0;
    }
    strsim::jaro_winkler(name, key).max(strsim::jaro_winkler(&short_name, &short_key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{Config, leaves};

    fn value(config: &Config, key: &str) -> Value {
        leaves(config)
            .into_iter()
            .find(|leaf| leaf.0 == key)
            .unwrap()
            .1
    }

    #[test]
    fn short_names_are_taken_in_files_and_settings() {
        let file = "[model]\nexperts = 2\n[train]\nlr = 0.5\n";
        let config = Config::parse(file, "a.toml").unwrap();
        let set = ["model.experts=2".to_owned(), "train.lr=0.5".to_owned()];
        assert_eq!(config, Config::read(None, &set).unwrap());
        assert_eq!(value(&config, "head.experts"), Value::from(2));
        assert_eq!(config.train.learning_rate, 0.5);
        let kind = Config::read(None, &["head.hidden=8".into(), "model.kind=mlp".into()]).unwrap();
        assert_eq!(value(&kind, "head.hidden"), Value::from(8));
    }

    #[test]
    fn a_setting_wins_over_a_file_whichever_names_they_use() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        std::fs::write(&file, "[train]\nlr = 0.5\n").unwrap();
        let config = Config::read(Some(&file), &["train.learning_rate=0.25".into()]).unwrap();
        assert_eq!(config.train.learning_rate, 0.25);
    }

    #[test]
    fn a_key_that_is_set_by_both_names_is_refused() {
        for file in [
            "[train]\nlr = 0.5\nlearning_rate = 0.5\n",
            "[model]\nexperts = 2\n[head]\nexperts = 2\n",
        ] {
            let error = Config::parse(file, "`a.toml`").unwrap_err().to_string();
            assert!(
                error.contains("`a.toml`") && error.contains("twice"),
                "{error}"
            );
        }
    }
}
