//! Durations (`500ms`, `30s`, `5m`, `2h`, `7d`) and sizes (`64KiB`, `1GiB`).

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZES: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A whole number and a unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    scaled(text, &DURATIONS).map(Duration::from_millis)
}

/// A whole number and a unit, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    scaled(text, &SIZES)
}

/// As [`duration`] reads it.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| millis.is_multiple_of(*unit);
    let (name, unit) = DURATIONS.iter().rfind(fits).unwrap_or(&DURATIONS[0]);
    match millis {
        0 => "0s".to_owned(),
        _ => format!("{}{name}", millis / unit),
    }
}

/// As [`size`] reads it.
pub(super) fn show_size(bytes: u64) -> String {
    let largest = SIZES.iter().rfind(|(_, unit)| bytes.is_multiple_of(*unit));
    let (name, unit) = largest.unwrap_or(&SIZES[0]);
    format!("{}{name}", bytes / unit)
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_written_alike() {
        for text in ["500ms", "30s", "5m", "2h", "7d", "1500ms", "0s"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["12B", "64KiB", "1025B", "10MiB", "1GiB"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
        assert_eq!(size("64KiB"), Some(65_536));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5s",
            "5sec",
            "99999999999999999999s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        for text in ["1GB", "1gib", "1", "99999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
