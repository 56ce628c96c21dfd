//! Memory as Linux says it; elsewhere nothing is known.

/// Bytes that the system can still give.
pub(crate) fn available() -> Option<u64> {
    bytes("/proc/meminfo", "MemAvailable:")
}

/// Bytes that this process takes.
pub fn resident() -> Option<u64> {
    bytes("/proc/self/status", "VmRSS:")
}

/// The most bytes that this process took.
pub fn peak() -> Option<u64> {
    bytes("/proc/self/status", "VmHWM:")
}

/// A line of a file of the kernel's, such as `VmRSS:  123 kB`.
fn bytes(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024 * kilobytes)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_some_memory_and_leaves_some() {
        for found in [available(), resident(), peak()] {
            assert!(found.is_some_and(|bytes| bytes > 1 << 20), "{found:?}");
        }
    }
}
