//! What came of the bounded scene, stage by stage, held against the truth that the scene knows and
//! against the receipts that the world was made with.

use super::cast::CastId;
use super::scene::Facing;
use super::shelf_display::Received;
use super::world::{DemoMember, World};
use crate::clock::Now;
use crate::id::{MemberId, ZoneId};
use crate::recommend::Product;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Who faces a camera for so long must be recognised.
const LONG_ENOUGH: Duration = Duration::from_secs(2);
/// A visit may begin this long before its member faces the camera (walking in) or after.
const AROUND: SignedDuration = SignedDuration::from_secs(4);

/// One member before one camera.
#[derive(Debug, Serialize)]
pub struct Appearance {
    /// What screens call them.
    pub alias: String,
    /// Where.
    pub zone: ZoneId,
    /// Seconds that they faced the camera.
    pub faced_s: f64,
    /// Whether a visit began.
    pub recognised: bool,
    /// Milliseconds from facing the camera to the visit; below 0 when recognised while walking in.
    pub after_ms: Option<i64>,
    /// Whether a slate for them came over MQTT to the display of the zone.
    pub published: bool,
    /// Whether all its reasons agree with the receipts.
    pub true_reasons: bool,
    /// The first of them.
    pub reason: Option<String>,
    /// Whether an impression was recorded.
    pub impression: bool,
}

/// Percentiles in milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Half are not above.
    pub p50: i64,
    /// 95 of 100 are not above.
    pub p95: i64,
    /// From how many.
    pub count: usize,
}

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether every stage did its part.
    pub ok: bool,
    /// Frames that vision looked at, by camera.
    pub frames: BTreeMap<String, u64>,
    /// Faces detected.
    pub faces: u64,
    /// Faces embedded.
    pub embeddings: u64,
    /// Members who faced a camera for 2 s or more.
    pub members: Vec<Appearance>,
    /// Strangers who faced a camera.
    pub strangers_faced: usize,
    /// Visits of a member who was not there.
    pub strangers_taken_for_members: usize,
    /// Personal slates that came over MQTT.
    pub slates_published: usize,
    /// Impressions recorded of personal slates.
    pub impressions: usize,
    /// From a frame's capture to the display's acknowledgement.
    pub latency_ms: Option<Latency>,
    /// What did not do its part, in words.
    pub failures: Vec<String>,
}

/// What the report is made from.
pub struct Evidence<'a> {
    /// The world that was shown.
    pub world: &'a World,
    /// Its members' ids, in order.
    pub members: &'a [MemberId],
    /// When the scene began.
    pub began: Now,
    /// Who faced which camera when.
    pub facing: &'a [Facing],
    /// The cameras' zones, in order.
    pub zones: &'a [ZoneId],
    /// What came over MQTT, by display's zone.
    pub received: BTreeMap<ZoneId, Vec<Received>>,
    /// The database.
    pub database: &'a Path,
    /// Frames by camera, faces, embeddings.
    pub counts: (BTreeMap<String, u64>, u64, u64),
}

struct Visit {
    member: MemberId,
    alias: String,
    zone: String,
    entered: Timestamp,
}

struct Shown {
    slate: String,
    member: MemberId,
    shown: bool,
    latency_ms: Option<i64>,
}

/// Holds what was recorded and published against the truth.
///
/// # Errors
/// The database cannot be read.
pub fn report(evidence: Evidence<'_>) -> anyhow::Result<Report> {
    let database = Connection::open_with_flags(evidence.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let visits = visits(&database)?;
    let aliases = aliases(&database)?;
    let shown = shown(&database)?;
    let at = |t: Duration| evidence.began.utc + t;

    let mut members = Vec::new();
    let mut failures = Vec::new();
    let mut strangers_faced = 0;
    for facing in evidence.facing {
        let CastId::Member(number) = facing.who else {
            strangers_faced += 1;
            continue;
        };
        let faced = facing.until - facing.from;
        if faced < LONG_ENOUGH {
            continue;
        }
        let (member, zone) = (evidence.members[number], &evidence.zones[facing.camera]);
        let during = |t: Timestamp| at(facing.from) - AROUND <= t && t <= at(facing.until) + AROUND;
        let visit =
            visits.iter().find(|v| v.member == member && v.zone == zone.as_str() && during(v.entered));
        let mine: Vec<&Shown> = shown.iter().filter(|s| s.member == member).collect();
        let received = evidence.received.get(zone).into_iter().flatten();
        let slate = received.filter(|r| during(r.at)).find(|r| {
            r.slate["audience"] == "personal" && mine.iter().any(|s| r.slate["slate"] == s.slate.as_str())
        });
        let appearance = Appearance {
            alias: aliases.get(&member).cloned().unwrap_or_default(),
            zone: zone.clone(),
            faced_s: faced.as_secs_f64(),
            recognised: visit.is_some(),
            after_ms: visit.map(|v| v.entered.duration_since(at(facing.from)).as_millis() as i64),
            published: slate.is_some(),
            true_reasons: slate.is_some_and(|s| reasons_are_true(&s.slate, evidence.world, number)),
            reason: slate.and_then(|s| s.slate["items"][0]["reason_text"].as_str()).map(str::to_owned),
            impression: slate
                .is_some_and(|s| mine.iter().any(|m| s.slate["slate"] == m.slate.as_str() && m.shown)),
        };
        let mut check = |good: bool, what: &str| {
            if !good {
                failures.push(format!("{} at {}: {what}", appearance.alias, appearance.zone));
            }
        };
        check(appearance.recognised, "faced the camera and was not recognised");
        check(appearance.published, "no slate came over MQTT");
        check(!appearance.published || appearance.true_reasons, "a reason does not agree with the receipts");
        check(appearance.impression, "no impression was recorded");
        members.push(appearance);
    }

    let really_there = |v: &&Visit| {
        evidence.facing.iter().any(|f| {
            matches!(f.who, CastId::Member(n) if evidence.members[n] == v.member)
                && evidence.zones[f.camera].as_str() == v.zone
                && at(f.from) - AROUND <= v.entered
                && v.entered <= at(f.until) + AROUND
        })
    };
    let mistaken: Vec<&Visit> = visits.iter().filter(|v| !really_there(v)).collect();
    for visit in &mistaken {
        failures.push(format!("somebody else was taken for {} at {}", visit.alias, visit.zone));
    }
    let (frames, faces, embeddings) = evidence.counts;
    for (camera, count) in &frames {
        if *count == 0 {
            failures.push(format!("camera {camera}: no frame was looked at"));
        }
    }
    if members.is_empty() || strangers_faced == 0 {
        failures.push("the scene had no members or no strangers in it".to_owned());
    }
    let personal = |r: &&Received| r.slate["audience"] == "personal";
    let mut latencies: Vec<i64> = shown.iter().filter_map(|s| s.latency_ms).collect();
    latencies.sort_unstable();
    Ok(Report {
        ok: failures.is_empty(),
        frames,
        faces,
        embeddings,
        members,
        strangers_faced,
        strangers_taken_for_members: mistaken.len(),
        slates_published: evidence.received.values().flatten().filter(personal).count(),
        impressions: shown.iter().filter(|s| s.shown).count(),
        latency_ms: percentiles(&latencies),
        failures,
    })
}

fn percentiles(sorted: &[i64]) -> Option<Latency> {
    let at = |share: usize| sorted.get((sorted.len() * share).div_ceil(100).saturating_sub(1)).copied();
    Some(Latency { p50: at(50)?, p95: at(95)?, count: sorted.len() })
}

fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn visits(database: &Connection) -> rusqlite::Result<Vec<Visit>> {
    let sql = "SELECT v.member, m.alias, v.zone, v.entered FROM visits v JOIN members m ON m.id = v.member";
    let mut statement = database.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Visit {
            member: MemberId(row.get(0)?),
            alias: row.get(1)?,
            zone: row.get(2)?,
            entered: time(row.get(3)?),
        })
    })?;
    rows.collect()
}

fn aliases(database: &Connection) -> rusqlite::Result<BTreeMap<MemberId, String>> {
    let mut statement = database.prepare("SELECT id, alias FROM members")?;
    let rows = statement.query_map([], |row| Ok((MemberId(row.get(0)?), row.get(1)?)))?;
    rows.collect()
}

fn shown(database: &Connection) -> rusqlite::Result<Vec<Shown>> {
    let sql = "SELECT s.id, s.member, i.at IS NOT NULL, i.at - s.captured FROM slates s LEFT JOIN impressions i ON i.slate = s.id \
               WHERE s.member IS NOT NULL";
    let mut statement = database.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Shown {
            slate: row.get(0)?,
            member: MemberId(row.get(1)?),
            shown: row.get(2)?,
            latency_ms: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// Counts the receipts again, from the world itself, and compares with what the reasons say.
fn reasons_are_true(slate: &Value, world: &World, number: usize) -> bool {
    let Some(items) = slate["items"].as_array().filter(|items| !items.is_empty()) else { return false };
    items.iter().all(|item| {
        let Some(product) = world.products.iter().find(|p| item["sku"] == p.sku.as_str()) else {
            return false;
        };
        let baskets = &world.members[number].baskets;
        let times = |one: &dyn Fn(crate::id::ProductId) -> bool| {
            baskets.iter().filter(|b| b.lines.iter().any(|l| one(l.product))).count() as u64
        };
        let reason = &item["reason"];
        match reason["kind"].as_str() {
            Some("rhythm" | "bought-before") => {
                reason["times"].as_u64() == Some(times(&|id| id == product.id)) && reason["times"] != 0
            }
            Some("goes-with") => {
                let ago = reason["baskets_ago"].as_u64().unwrap_or(u64::MAX);
                let basket = baskets.iter().rev().nth(usize::try_from(ago).unwrap_or(usize::MAX));
                let named =
                    |id| world.products.iter().any(|p| p.id == id && reason["with"] == p.name.as_str());
                basket.is_some_and(|b| b.lines.iter().any(|l| named(l.product)))
            }
            Some("like-minded") => {
                let buys = |m: &DemoMember| {
                    m.baskets.iter().any(|b| b.lines.iter().any(|l| l.product == product.id))
                };
                let others = world.members.iter().enumerate().filter(|(n, m)| *n != number && buys(m));
                reason["buyers"].as_u64().is_some_and(|n| 0 < n && n <= others.count() as u64)
            }
            Some("category") => {
                let category = reason["category"].as_str();
                let of = |p: &Product| p.category.last().map(String::as_str) == category;
                let bought = |id| world.products.iter().any(|p| p.id == id && id != product.id && of(p));
                of(product) && times(&bought) > 0
            }
            Some("brand") => {
                let of = |p: &Product| p.brand.is_some() && p.brand.as_deref() == reason["brand"].as_str();
                let bought = |id| world.products.iter().any(|p| p.id == id && id != product.id && of(p));
                of(product) && times(&bought) > 0
            }
            // What the network has learned cannot be counted; that there are receipts to learn from can.
            Some("taste") => !baskets.is_empty(),
            Some("popular") => reason["receipts"].as_u64().is_some_and(|n| n > 0),
            Some("time-of-day" | "season") => world
                .members
                .iter()
                .flat_map(|m| &m.baskets)
                .any(|b| b.lines.iter().any(|l| l.product == product.id)),
            _ => false,
        }
    })
}
