//! A soak: the built program lives days of a busy shop in minutes. Its wall clock hurries (see
//! `shopguide::clock::Clock::catching_up`), durations stay real; so a store day brings a day's receipts,
//! visits, slates, kiosk sessions and nightly work, while frames come at the rate of real cameras.
//!
//! What must hold in the end: memory, open files, threads, log and write-ahead log have stopped growing,
//! the database stops growing once what is too old is taken out, nothing was lost, and `check` is clean.
//!
//! The short form runs with all tests. The whole of it, with the figures that README.md gives:
//! `cargo test --release --test soak -- --ignored --nocapture` (`SHOPGUIDE_SOAK="72 in 60"` changes the
//! store hours and the minutes that they take).

mod figures;
#[path = "../harness/mod.rs"]
mod harness;
mod load;
mod shop;

use figures::Figures;
use harness::{printed, within};
use load::Load;
use shop::{Scale, SoakShop};
use std::time::Duration;

#[test]
fn a_few_store_hours_leave_nothing_growing() {
    soak(&Scale::short());
}

#[test]
#[ignore = "an hour: three store days"]
fn three_store_days_at_full_load_leave_nothing_growing() {
    soak(&Scale::whole());
}

fn soak(scale: &Scale) {
    let soak = SoakShop::furnish(scale);
    let mut daemon = soak.run();
    let clock = soak.clock();
    let load = Load::start(&soak, &daemon, &clock, scale);
    let mut figures = Figures::default();
    let hour = Duration::from_secs(3600) / scale.rate;
    for n in 0..=scale.hours {
        if n > 0 {
            std::thread::sleep(hour);
        }
        assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended:\n{}", daemon.logs());
        figures.take(n, &daemon, &soak.shop.data());
    }
    let did = load.stop();
    // What is under way arrives.
    let recorded = || daemon.metric("shopguide_receipts_total");
    within(Duration::from_secs(60), "every acknowledged receipt is counted", || {
        (recorded() >= did.receipts as f64).then_some(())
    });
    let metrics = daemon.get("/metrics").unwrap().1;
    let (status, logs) = daemon.stop();
    assert!(status.success(), "{status}");
    figures.print(scale, &did, &metrics);

    let check = soak.shop.command(&["check"]);
    assert!(check.status.success(), "{}", printed(&check));
    let errors: Vec<&str> =
        logs.lines().filter(|l| l.contains("ERROR") || l.contains("panick")).take(20).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    did.assert_a_busy_shop(scale, soak.faces, &metrics);
    figures.assert_bounded(scale);
}
