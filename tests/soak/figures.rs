//! What is measured while the soak goes on, once every store hour, and what must hold of it.

use crate::harness::Daemon;
use crate::load::{Did, metric};
use crate::shop::Scale;
use std::path::Path;

/// One look at the daemon.
#[derive(Debug, Clone, Copy)]
struct Look {
    hour: u32,
    /// Resident memory, and what of it is no file, KiB.
    resident: u64,
    own: u64,
    files: u64,
    threads: u64,
    database: u64,
    /// The write-ahead log.
    wal: u64,
    log: u64,
}

/// All looks.
#[derive(Default)]
pub struct Figures(Vec<Look>);

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |m| m.len())
}

impl Figures {
    pub fn take(&mut self, hour: u32, daemon: &Daemon, data: &Path) {
        let process = format!("/proc/{}", daemon.child.id());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let line = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let look = Look {
            hour,
            resident: line("VmRSS:"),
            own: line("RssAnon:"),
            files: std::fs::read_dir(format!("{process}/fd")).map_or(0, |f| f.count() as u64),
            threads: line("Threads:"),
            database: length(&data.join("shop.sqlite")),
            wal: length(&data.join("shop.sqlite-wal")),
            log: length(&daemon.log),
        };
        eprintln!(
            "hour {hour}: {} MiB resident, {} MiB its own, {} files, {} threads, database {} kB, its log {} kB, log {} kB",
            look.resident >> 10,
            look.own >> 10,
            look.files,
            look.threads,
            look.database / 1000,
            look.wal / 1000,
            look.log / 1000
        );
        self.0.push(look);
    }

    /// The looks after the first third, when everything was used once.
    fn settled(&self) -> &[Look] {
        &self.0[self.0.len() / 3..]
    }

    /// Least squares of the process's own memory over the settled part, KiB a store day, and its
    /// standard error.
    fn slope(&self) -> (f64, f64) {
        let points: Vec<(f64, f64)> =
            self.settled().iter().map(|l| (f64::from(l.hour) / 24.0, l.own as f64)).collect();
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
        let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
        let rest: f64 = points.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
        (slope, (rest / (n - 2.0).max(1.0) / spread).sqrt())
    }

    /// The middle one (of two, the larger).
    fn middle(looks: &[Look], of: fn(&Look) -> u64) -> u64 {
        let mut all: Vec<u64> = looks.iter().map(of).collect();
        all.sort_unstable();
        all[all.len() / 2]
    }

    fn most(looks: &[Look], of: fn(&Look) -> u64) -> u64 {
        looks.iter().map(of).max().unwrap_or(0)
    }

    fn least(looks: &[Look], of: fn(&Look) -> u64) -> u64 {
        looks.iter().map(of).min().unwrap_or(0)
    }

    pub fn print(&self, scale: &Scale, did: &Did, metrics: &str) {
        let metric = |name: &str| metric(metrics, name);
        let frames: f64 = metrics
            .lines()
            .filter(|l| l.starts_with("shopguide_frames_total{"))
            .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        let (settled, last) = (self.settled(), self.0.last().unwrap());
        let (slope, error) = self.slope();
        let range = |of: fn(&Look) -> u64| (Self::least(settled, of), Self::most(settled, of));
        println!(
            "{} store hours at {} store seconds a second: {} receipts, {} visits, {} slates made, {} shown ({} of them to a face), \
             {} kiosk sessions ({} joined and were forgotten), {frames} frames looked at, {} reloads, {} night jobs",
            scale.hours,
            scale.rate,
            did.receipts,
            metric("shopguide_visits_total"),
            metric("shopguide_slates_total"),
            did.shown,
            did.personal,
            did.kiosk,
            did.forgotten,
            did.reloads,
            did.nights.len()
        );
        let (own, files, threads) = (range(|l| l.own), range(|l| l.files), range(|l| l.threads));
        println!(
            "after the first third: own memory {} to {} MiB, slope {:.2} ± {:.2} MiB a store day; resident at most \
             {} MiB; {} to {} open files; {} to {} threads",
            own.0 >> 10,
            own.1 >> 10,
            slope / 1024.0,
            error / 1024.0,
            Self::most(&self.0, |l| l.resident) >> 10,
            files.0,
            files.1,
            threads.0,
            threads.1
        );
        let database = range(|l| l.database);
        println!(
            "database {:.1} to {:.1} MB after the first third, {:.1} at the end; write-ahead log at most {:.1} MB; \
             log {:.0} kB a store day",
            database.0 as f64 / 1e6,
            database.1 as f64 / 1e6,
            last.database as f64 / 1e6,
            Self::most(&self.0, |l| l.wal) as f64 / 1e6,
            last.log as f64 / 1e3 * 24.0 / f64::from(scale.hours)
        );
    }

    pub fn assert_bounded(&self, scale: &Scale) {
        let (first, settled, last) = (self.0.first().unwrap(), self.settled(), self.0.last().unwrap());
        assert!(last.own > 1024, "memory could not be measured");
        // What a leak of a kilobyte a visit, a receipt or a frame would exceed by far.
        let half = self.0.len() / 2;
        // The middle one of half the looks: a look may fall into a burst of work.
        let (early, late) =
            (Self::middle(&self.0[..=half], |l| l.own), Self::middle(&self.0[half..], |l| l.own));
        assert!(late <= early + (40 << 10), "memory grew from {early} to {late} KiB");
        let most = Self::most(settled, |l| l.own);
        // Less than the networks take: a reload that finds the same models must not load them again.
        assert!(most <= late + (48 << 10), "{most} KiB of memory at one time, {late} KiB mostly");
        assert!(last.files <= first.files + 24, "{} open files became {}", first.files, last.files);
        assert!(last.threads <= first.threads + 8, "{} threads became {}", first.threads, last.threads);
        assert!(Self::most(&self.0, |l| l.wal) <= 64 << 20, "the write-ahead log is not bounded");
        assert!(last.log * 24 / u64::from(scale.hours) <= 2_000_000, "{} bytes of log", last.log);
        if scale.hours >= 72 {
            // From the second day on, as much is taken out as comes in.
            let day = |d: usize| Self::most(&self.0[24 * d..=24 * (d + 1)], |l| l.database);
            assert!(day(2) <= day(1) + day(1) / 10, "the database grew from {} to {}", day(1), day(2));
        }
        assert!(!settled.is_empty());
    }
}
