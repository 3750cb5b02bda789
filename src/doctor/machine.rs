//! The box itself: how hot it is, and how much memory is left.

use super::{Finding, Patient};
use std::fs;

/// Processors slow down from about here on, °C.
const HOT: f64 = 80.0;
/// Less memory than this, in KiB, makes the system kill programs.
const LEAST_MEMORY: u64 = 128 * 1024;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    [temperature(patient), memory(patient)].into_iter().flatten().collect()
}

fn temperature(patient: &Patient) -> Option<Finding> {
    let zones = fs::read_dir(patient.root.join("sys/class/thermal")).ok()?.flatten();
    let read = |path: std::path::PathBuf| {
        Some(fs::read_to_string(path.join("temp")).ok()?.trim().parse::<f64>().ok()? / 1000.0)
    };
    let degrees = zones.filter_map(|zone| read(zone.path())).fold(f64::NAN, f64::max);
    if degrees.is_nan() {
        return None;
    }
    if degrees < HOT {
        return Some(Finding::well("temperature", format!("{degrees:.0} °C")));
    }
    Some(
        Finding::warning("temperature-high", "temperature", format!("{degrees:.0} °C"))
            .means("the processor slows itself down; recognition takes longer, and the box does not live as long")
            .remedy("free its air slots of dust, move it out of the cupboard, or give it a fan"),
    )
}

fn memory(patient: &Patient) -> Option<Finding> {
    let text = fs::read_to_string(patient.root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free: u64 = line.split_whitespace().next()?.parse().ok()?;
    let says = format!("{} MiB available", free / 1024);
    if free >= LEAST_MEMORY {
        return Some(Finding::well("memory", says));
    }
    Some(
        Finding::warning("memory-low", "memory", says)
            .means("the system may end the service at any moment")
            .remedy("ps aux --sort -rss | head shows what takes it; the service itself needs about 150 MiB"),
    )
}
