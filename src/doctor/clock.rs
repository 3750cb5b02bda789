//! The clock, which an appliance without internet has nobody to ask about: it is compared with the
//! battery clock and with the times of what was recorded.

use super::{Finding, Patient};
use jiff::{SignedDuration, Timestamp};

/// Records from further ahead than this show that the clock was set back, or was ahead before.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// A gap between wall clock and battery clock that is no drift.
const APART: SignedDuration = SignedDuration::from_mins(5);
/// A shop that recorded nothing for so long is closed, or its clock is ahead.
const QUIET: SignedDuration = SignedDuration::from_hours(60 * 24);

/// `newest` is the time of the newest record, if there is any.
pub(super) fn look(patient: &Patient, newest: Option<Timestamp>) -> Vec<Finding> {
    let now = patient.now;
    let mut found = Vec::new();
    let remedy = "set the clock (timedatectl set-time 'YYYY-MM-DD hh:mm:ss', or let it follow a time server of \
                  the shop), then hwclock --systohc";
    if let Some(newest) = newest
        && newest.duration_since(now) > AHEAD
    {
        let says = format!(
            "it is {}, but something was recorded at {}",
            now.strftime("%F %T UTC"),
            newest.strftime("%F %T UTC")
        );
        found.push(
            Finding::failed("clock-behind", "clock", says)
                .means("the clock is behind, or was ahead: new receipts seem older than they are, habits are miscounted")
                .remedy(remedy),
        );
    } else if let Some(newest) = newest
        && now.duration_since(newest) > QUIET
    {
        let says = format!("nothing was recorded for {} days", now.duration_since(newest).as_hours() / 24);
        found.push(
            Finding::warning("clock-ahead", "clock", says)
                .means("the shop was closed, tills send nothing, or the clock is ahead; then what is kept expires early")
                .remedy(format!("if the clock is wrong: {remedy}; if tills are silent, see receipts in the log")),
        );
    }
    let battery = std::fs::read_to_string(patient.root.join("sys/class/rtc/rtc0/since_epoch")).ok();
    let battery = battery.and_then(|text| Timestamp::from_second(text.trim().parse().ok()?).ok());
    if let Some(battery) = battery {
        let apart = battery.duration_since(now);
        if apart.abs() > APART {
            let says = format!(
                "the battery clock says {}, the system {}",
                battery.strftime("%F %T UTC"),
                now.strftime("%F %T UTC")
            );
            found.push(
                Finding::warning("clock-battery-apart", "clock", says)
                    .means("after the next power cut the clock jumps to the battery clock's time")
                    .remedy("find out which is right; then hwclock --systohc writes the system's time to the battery clock"),
            );
        }
    }
    if found.is_empty() {
        found.push(Finding::well("clock", now.strftime("%F %T UTC").to_string()));
    }
    found
}
