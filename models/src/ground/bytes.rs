//! Sizes in a readable form.

/// A number of bytes in the unit that fits, in steps of 1000: `1.5 kB`.
pub fn human_bytes(count: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let (mut size, mut unit) = (count as f64 / 1e3, 0);
    while size >= 999.95 && unit + 1 < units.len() {
        (size, unit) = (size / 1e3, unit + 1);
    }
    format!("{size:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_fits_the_size() {
        let sizes = [0, 999, 1000, 1500, 999_949, 999_950, 999_999, 2_000_000_000, u64::MAX];
        let said = ["0 B", "999 B", "1.0 kB", "1.5 kB", "999.9 kB", "1.0 MB", "1.0 MB", "2.0 GB", "18446744.1 TB"];
        assert_eq!(sizes.map(human_bytes), said);
    }
}
