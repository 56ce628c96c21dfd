//! What encoders run on, as the store records it: the last bits of their sums depend on it.

use std::path::Path;

/// The card that CUDA runs on, where the driver says it.
pub(super) fn card() -> Option<String> {
    let cards = std::fs::read_dir("/proc/driver/nvidia/gpus").ok()?;
    let mut files: Vec<_> = cards
        .flatten()
        .map(|card| card.path().join("information"))
        .collect();
    files.sort();
    files.iter().find_map(|file| field(file, "Model"))
}

/// The processor by its name, and the widest kind of products that ONNX Runtime finds on it: a virtual machine may hide
/// what the name promises.
pub(super) fn processor() -> String {
    let name = field(Path::new("/proc/cpuinfo"), "model name");
    let name = name.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    match widest() {
        Some(widest) => format!("{name} ({widest})"),
        None => name,
    }
}

#[cfg(target_arch = "x86_64")]
fn widest() -> Option<&'static str> {
    let kinds = [
        ("AVX-512 VNNI", is_x86_feature_detected!("avx512vnni")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("AVX", is_x86_feature_detected!("avx")),
    ];
    let found = kinds.into_iter().find(|(_, is_there)| *is_there);
    found.map(|(name, _)| name)
}

#[cfg(not(target_arch = "x86_64"))]
fn widest() -> Option<&'static str> {
    None
}

/// The first value of a field in a file of lines `field : value`.
fn field(file: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    value(&text, name).map(str::to_owned)
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(field, _)| field.trim() == name);
    let (_, value) = values.find(|(_, value)| !value.trim().is_empty())?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_a_name_and_always_the_same() {
        assert!(!processor().is_empty());
        assert_eq!(processor(), processor());
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Xeon: 8\n\nmodel name\t: other\n";
        assert_eq!(value(text, "model name"), Some("Xeon: 8"));
        assert_eq!(value(text, "name"), None);
    }
}
