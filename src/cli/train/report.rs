//! The data report: how much there is to learn from, and what was left out and why. Members are
//! named by their alias.

use crate::history::screening::{Finding, Screened};
use crate::id::{MemberId, ProductId};
use crate::recommend::Product;
use crate::storage::Member;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;

/// What there is, and what was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    members: usize,
    receipts: usize,
    lines: usize,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    findings: Vec<Line>,
}

/// A finding as a person reads it.
#[derive(Debug, Serialize)]
struct Line {
    count: u64,
    what: &'static str,
    left_out: bool,
    members: u64,
    /// The alias of the member that it is mostly about.
    member: Option<String>,
    at: Timestamp,
    sku: Option<String>,
    quantity: Option<f64>,
}

impl Report {
    pub(super) fn new(screened: &Screened, members: &[Member], products: &[Product]) -> Report {
        let aliases: HashMap<MemberId, &str> = members.iter().map(|m| (m.id, m.alias.as_str())).collect();
        let skus: HashMap<ProductId, &str> = products.iter().map(|p| (p.id, p.sku.as_str())).collect();
        let baskets = || screened.histories.values().flat_map(|h| &h.baskets);
        let line = |f: &Finding| Line {
            count: f.count,
            what: f.kind.text(),
            left_out: f.kind.left_out(),
            members: f.members,
            member: f.member.and_then(|m| aliases.get(&m)).map(|a| (*a).to_owned()),
            at: f.at,
            sku: f.product.and_then(|p| skus.get(&p)).map(|s| (*s).to_owned()),
            quantity: f.quantity,
        };
        Report {
            members: screened.histories.len(),
            receipts: baskets().count(),
            lines: baskets().map(|b| b.lines.len()).sum(),
            from: baskets().map(|b| b.at).min(),
            to: baskets().map(|b| b.at).max(),
            findings: screened.findings.iter().map(line).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { members, receipts, lines, .. } = self;
        write!(f, "{receipts} receipts of {members} members with {lines} lines")?;
        if let (Some(from), Some(to)) = (self.from, self.to) {
            write!(f, ", {} to {}", from.strftime("%F"), to.strftime("%F"))?;
        }
        writeln!(f)?;
        for (title, left_out) in [("left out", true), ("remarks", false)] {
            let lines: Vec<&Line> = self.findings.iter().filter(|l| l.left_out == left_out).collect();
            if !lines.is_empty() {
                writeln!(f, "{title}:")?;
            }
            for line in lines {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.what)?;
        match &self.member {
            Some(alias) if self.members > 1 => write!(f, ", of {} members, most of {alias}", self.members)?,
            Some(alias) => write!(f, ", of {alias}")?,
            None => {}
        }
        write!(f, "; from {}", self.at.strftime("%F %H:%M"))?;
        if let Some(sku) = &self.sku {
            write!(f, ", {} of {sku}", self.quantity.unwrap_or_default())?;
        }
        Ok(())
    }
}
