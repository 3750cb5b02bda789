//! Receipts from rows, a row a line of a receipt. Rows of one receipt may stand apart by up to
//! [`OPEN`] other receipts. Cards that nobody has become members only where the administrator says
//! that their owners consented; without that the receipt is kept without a member.

use super::columns::{ColumnMap, Columns, Kind};
use super::fields::Formats;
use super::findings::{Findings, Reason};
use super::rows::{Rows, shown};
use super::{ImportError, StorageError};
use crate::privacy::consent::Consent;
use crate::privacy::pseudonym;
use crate::storage::receipts::MOST_LINES;
use crate::storage::{Card, NewLine, NewMember, NewReceipt, Outcome, Store};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::io::Read;

/// Receipts that may be open at the same time.
pub const OPEN: usize = 256;
/// Lines that are recorded in one transaction, about.
const BATCH: usize = 4_000;

/// What became of a file of receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiptsImported {
    /// Rows read.
    pub rows: u64,
    /// Receipts new to the store.
    pub counted: u64,
    /// Of these, returns.
    pub returns: u64,
    /// Lines of the receipts new to the store.
    pub lines: u64,
    /// Receipts that were there before.
    pub duplicates: u64,
    /// Receipts that were there without their member.
    pub linked: u64,
    /// Receipts whose number was there with other content.
    pub differing: u64,
    /// Receipts kept back because of a row with a mistake.
    pub kept_back: u64,
    /// New receipts without a card.
    pub without_card: u64,
    /// Members made, by the administrator's word that they consented.
    pub new_members: u64,
    /// Products that no catalogue knows yet.
    pub new_products: u64,
}

impl ReceiptsImported {
    /// Whether the store is as it was before.
    pub fn changed_nothing(&self) -> bool {
        self.counted + self.linked + self.new_members + self.new_products == 0
    }
}

struct Pending {
    at: Timestamp,
    token: String,
    lines: Vec<NewLine>,
    first_row: u64,
    rows: u64,
    bad: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Member,
    Nobody,
    Erased,
}

struct Import<'a> {
    store: &'a Store,
    consent: Option<&'a Consent>,
    by: &'a str,
    findings: &'a mut Findings,
    done: ReceiptsImported,
    open: HashMap<String, Pending>,
    order: VecDeque<String>,
    ready: Vec<(NewReceipt, u64)>,
    ready_lines: usize,
    owners: HashMap<String, Owner>,
}

/// Imports all rows. `consent` is the administrator's word that the owners of unknown cards agreed to
/// being members with a card; `progress` hears the number of rows read.
#[allow(clippy::too_many_arguments)]
pub fn import<R: Read>(
    store: &Store,
    rows: &mut Rows<R>,
    columns: &Columns,
    formats: &Formats,
    consent: Option<&Consent>,
    by: &str,
    findings: &mut Findings,
    progress: &mut dyn FnMut(u64),
) -> Result<ReceiptsImported, ImportError> {
    let mut import = Import {
        store,
        consent,
        by,
        findings,
        done: ReceiptsImported::default(),
        open: HashMap::new(),
        order: VecDeque::new(),
        ready: Vec::new(),
        ready_lines: 0,
        owners: HashMap::new(),
    };
    while let Some(line) = rows.advance()? {
        import.done.rows += 1;
        import.row(rows, line, columns, formats)?;
        if import.done.rows.is_multiple_of(512) {
            progress(import.done.rows);
        }
    }
    while let Some(id) = import.order.pop_front() {
        import.close(id)?;
    }
    import.flush()?;
    progress(import.done.rows);
    import.findings.finish()?;
    Ok(import.done)
}

/// Finds the columns of a receipt file.
pub fn columns(header: &[String], map: &ColumnMap) -> Result<Columns, String> {
    Columns::find(Kind::Receipts, header, map)
}

impl Import<'_> {
    fn row<R: Read>(
        &mut self,
        rows: &Rows<R>,
        line: u64,
        columns: &Columns,
        formats: &Formats,
    ) -> Result<(), ImportError> {
        let id = rows.check().and_then(|()| {
            let id = rows.field(columns.of("receipt"))?;
            if id.is_empty() { Err((Reason::Missing, "receipt".to_owned())) } else { Ok(id) }
        });
        let id = match id {
            Ok(id) => id,
            Err((reason, detail)) => {
                self.keep_back(rows, columns.of("receipt"), line)?;
                return self.findings.note(line, reason, detail);
            }
        };
        let parsed = parse(rows, columns, formats);
        // A receipt without a readable time waits for a row that has one, or is kept back.
        self.begin(id, line, parsed.as_ref().map_or(Timestamp::UNIX_EPOCH, |p| p.at))?;
        let Some(pending) = self.open.get_mut(id) else { return Ok(()) };
        pending.rows += 1;
        let found = match parsed {
            Err(found) => Some(found),
            Ok(parsed) => pending.add(parsed),
        };
        if let Some((reason, detail)) = found {
            pending.bad |= reason.weight() == super::findings::Weight::Bad;
            self.findings.note(line, reason, detail)?;
        }
        Ok(())
    }

    /// Opens a receipt that has no row yet.
    fn begin(&mut self, id: &str, line: u64, at: Timestamp) -> Result<(), ImportError> {
        if self.open.contains_key(id) {
            return Ok(());
        }
        let token = String::new();
        let pending = Pending { at, token, lines: Vec::new(), first_row: line, rows: 0, bad: false };
        self.open.insert(id.to_owned(), pending);
        self.order.push_back(id.to_owned());
        if self.order.len() > OPEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.close(oldest)?;
        }
        Ok(())
    }

    /// A row that is none keeps back the receipts that it seems to be of, or without a number the
    /// one before it: half a receipt is never stored.
    fn keep_back<R: Read>(
        &mut self,
        rows: &Rows<R>,
        column: Option<usize>,
        line: u64,
    ) -> Result<(), ImportError> {
        let mut ids = rows.seemingly(column);
        if ids.is_empty() {
            ids.extend(self.order.back().cloned());
        }
        for id in ids {
            self.begin(&id, line, Timestamp::UNIX_EPOCH)?;
            if let Some(pending) = self.open.get_mut(&id) {
                pending.rows += 1;
                pending.bad = true;
            }
        }
        Ok(())
    }

    /// Takes a receipt that no further row is expected of.
    fn close(&mut self, id: String) -> Result<(), ImportError> {
        let Some(pending) = self.open.remove(&id) else { return Ok(()) };
        if pending.bad {
            self.done.kept_back += 1;
            let detail = format!("{}, {} rows", shown(&id), pending.rows);
            return self.findings.note(pending.first_row, Reason::WithBadRow, detail);
        }
        if pending.lines.is_empty() {
            return Ok(());
        }
        let lines = pending.lines;
        self.ready_lines += lines.len();
        let member = (!pending.token.is_empty()).then_some(Card::Token(pending.token));
        let receipt = NewReceipt { id, at: pending.at, member, lines, source: "import" };
        if let Err(StorageError::Invalid(what)) = receipt.check() {
            self.done.kept_back += 1;
            return self.findings.note(pending.first_row, Reason::Unacceptable, what);
        }
        self.ready.push((receipt, pending.first_row));
        if self.ready_lines >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Records what is ready.
    fn flush(&mut self) -> Result<(), ImportError> {
        self.make_members()?;
        self.ready_lines = 0;
        let (receipts, rows): (Vec<NewReceipt>, Vec<u64>) =
            std::mem::take(&mut self.ready).into_iter().unzip();
        let facts: Vec<_> = receipts
            .iter()
            .map(|r| (r.id.clone(), r.lines.len() as u64, r.is_return(), r.member.clone()))
            .collect();
        let recorded = self.store.record_receipts(receipts)?;
        for ((recorded, row), (id, lines, is_return, card)) in recorded.into_iter().zip(rows).zip(facts) {
            let done = &mut self.done;
            done.new_products += u64::from(recorded.new_products);
            match recorded.outcome {
                Outcome::Counted => {
                    done.counted += 1;
                    done.lines += lines;
                    done.returns += u64::from(is_return);
                    done.without_card += u64::from(card.is_none());
                }
                Outcome::Duplicate => done.duplicates += 1,
                Outcome::Linked => done.linked += 1,
                Outcome::Differs => {
                    done.differing += 1;
                    self.findings.note(row, Reason::Differs, shown(&id))?;
                }
            }
            if let (true, Some(Card::Token(token))) = (recorded.unknown_card, &card) {
                let erased = self.owners.get(token) == Some(&Owner::Erased);
                let reason = if erased { Reason::ErasedCard } else { Reason::UnknownCard };
                self.findings.note(row, reason, format!("receipt {}", shown(&id)))?;
            }
        }
        Ok(())
    }

    /// Makes members of unknown cards, if their owners consented.
    fn make_members(&mut self) -> Result<(), ImportError> {
        let mut new = Vec::new();
        for (receipt, _) in &self.ready {
            let Some(Card::Token(token)) = &receipt.member else { continue };
            if self.owners.contains_key(token) {
                continue;
            }
            let mut owner = if self.store.member_by_token(token)?.is_some() {
                Owner::Member
            } else if self.store.was_erased(token)? {
                Owner::Erased
            } else {
                Owner::Nobody
            };
            if let (Owner::Nobody, Some(consent)) = (owner, self.consent) {
                owner = Owner::Member;
                new.push(NewMember {
                    token: Some(token.clone()),
                    name: None,
                    contact: None,
                    consent: consent.clone(),
                    by: self.by.to_owned(),
                });
            }
            self.owners.insert(token.clone(), owner);
        }
        self.done.new_members += new.len() as u64;
        if !new.is_empty() {
            self.store.add_members(new)?;
        }
        Ok(())
    }
}

struct Parsed {
    at: Timestamp,
    token: String,
    line: Result<NewLine, (Reason, String)>,
}

impl Pending {
    /// Adds a row; what there is to say of it, if anything.
    fn add(&mut self, row: Parsed) -> Option<(Reason, String)> {
        if self.rows == 1 {
            self.at = row.at;
        }
        if self.token.is_empty() {
            self.token = row.token;
        } else if !row.token.is_empty() && row.token != self.token {
            return Some((Reason::TwoMembers, String::new()));
        }
        match row.line {
            Err(found) => Some(found),
            Ok(_) if self.lines.len() >= MOST_LINES => {
                Some((Reason::Unacceptable, format!("a receipt has at most {MOST_LINES} lines")))
            }
            Ok(line) => {
                self.lines.push(line);
                None
            }
        }
    }
}

fn parse<R: Read>(rows: &Rows<R>, columns: &Columns, formats: &Formats) -> Result<Parsed, (Reason, String)> {
    let needed = |field: &'static str| match rows.field(columns.of(field)) {
        Ok("") => Err((Reason::Missing, field.to_owned())),
        other => other,
    };
    let at = formats.time(needed("at")?)?;
    let token = rows.field(columns.of("member"))?;
    if !token.is_empty() && !pseudonym::is_token(token) {
        return Err((Reason::BadCard, "expected 1 to 64 visible ASCII characters".to_owned()));
    }
    let sku = needed("sku")?;
    let quantity = formats.quantity(needed("quantity")?)?;
    let unit_price = formats.price(needed("price")?)?;
    let name: String = rows.field(columns.of("name"))?.chars().take(200).collect();
    let what = || format!("{} x {}", quantity, shown(sku));
    let line = if quantity == 0.0 {
        Err((Reason::Nothing, what()))
    } else if unit_price < 0 {
        Err((Reason::Bookkeeping, what()))
    } else if quantity < 0.0 && unit_price == 0 {
        Err((Reason::StockCorrection, what()))
    } else {
        let name = Some(name).filter(|n| !n.is_empty());
        Ok(NewLine { sku: sku.to_owned(), quantity, unit_price, name })
    };
    Ok(Parsed { at, token: token.to_owned(), line })
}

#[cfg(test)]
mod tests;
