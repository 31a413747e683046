//! Amounts: memory as the engine writes it, CPUs, and what `auto` means on this machine.

/// Bytes of `512m`, `4g`, `1024` and the like; none for anything else.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let (digits, unit) = match lower.strip_suffix(['k', 'm', 'g', 't']) {
        Some(digits) => (digits, lower.chars().last()?),
        None => (lower, 'b'),
    };
    let shift = match unit {
        'k' => 10,
        'm' => 20,
        'g' => 30,
        't' => 40,
        _ => 0,
    };
    digits.parse::<u64>().ok().filter(|number| *number > 0)?.checked_mul(1 << shift)
}

/// A number of CPUs, in thousandths.
pub(crate) fn cpus(text: &str) -> Option<u64> {
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && (0.01..=4096.0).contains(&number)).then_some((number * 1000.0).round() as u64)
}

/// Three quarters of this machine's memory, for the engine's `--memory`; none where the machine does not tell.
pub(crate) fn auto_memory() -> Option<String> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(format!("{}m", kib / 1024 * 3 / 4))
}

/// Nine tenths of this machine's CPUs, for the engine's `--cpus`.
pub(crate) fn auto_cpus() -> Option<String> {
    let cpus = std::thread::available_parallelism().ok()?.get();
    Some(format!("{:.1}", cpus as f64 * 0.9))
}

/// A size for a person: `12 B`, `3.4 kB`, `2.9 MB`.
pub(crate) fn shown(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_engine_reads_them() {
        assert_eq!(bytes("4g"), Some(4 << 30));
        assert_eq!(bytes("512MB"), Some(512 << 20));
        assert_eq!(bytes("1024"), Some(1024));
        for bad in ["", "g", "-1g", "0", "1.5g", "auto", "99999999999t"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
        assert_eq!(cpus("1.5"), Some(1500));
        assert_eq!(cpus("0"), None);
    }
}
