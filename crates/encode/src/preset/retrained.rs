//! A preset whose ResNet is another one's, trained.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Preset, Problem, find_file, refused};
use crate::error::Error;

/// The file of a new preset that lies beside another one, as text: as that one, but for its name, its description and
/// the files of its ResNet, which lie in a folder of the new name beside that of the presets. `files`: keys of the
/// encoder `resnet`, with the name in that folder and the checksum of each.
pub fn retrained_preset(
    base: &str,
    name: &str,
    files: &[(&str, &str, String)],
) -> Result<(PathBuf, String), Error> {
    let path = find_file(base)?;
    let shown = path.display();
    let text = mmfnd_posts::read_text(&path).map_err(|error| refused(&shown, error.into()))?;
    let mut table: Table =
        toml::from_str(&text).map_err(|error| refused(&shown, Box::new(error).into()))?;
    table.insert("name".to_owned(), name.into());
    let description = format!("preset {base}, its ResNet trained with a head");
    table.insert("description".to_owned(), description.into());
    let encoders = table.get_mut("encoder").and_then(Value::as_array_mut);
    let is_resnet = |encoder: &&mut Value| encoder.get("name") == Some(&Value::from("resnet"));
    let resnet = encoders.and_then(|all| all.iter_mut().find(is_resnet));
    let resnet = resnet.and_then(Value::as_table_mut).ok_or_else(|| {
        let rule = "there is none";
        let encoder = "resnet".to_owned();
        refused(&shown, Problem::Rule { encoder, rule })
    })?;
    for (key, file, sha256) in files {
        let sum_key = match *key {
            "model" => "sha256".to_owned(),
            other => format!("{other}_sha256"),
        };
        resnet.insert((*key).to_owned(), format!("../{name}/{file}").into());
        resnet.insert(sum_key, sha256.as_str().into());
    }
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let text = toml::to_string(&table).expect("it was read as TOML");
    let new = folder.join(format!("{name}.toml"));
    Preset::parse(&text, &new)?;
    Ok((new, text))
}
