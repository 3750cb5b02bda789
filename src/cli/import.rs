//! `shopguide import`: a catalogue or receipts from a CSV file. Ends with 0 if no row had a
//! mistake, and with 65 if some had (all others are imported).

use super::store::{StoreArgs, operator};
use crate::clock::Clock;
use crate::ops::settings::Settings;
use crate::privacy::consent::{Consent, Scope, TEXT};
use crate::storage::Store;
use crate::storage::import::columns::{ColumnMap, Columns};
use crate::storage::import::findings::{Findings, SHOWN, Weight};
use crate::storage::import::rows::Rows;
use crate::storage::import::{Formats, catalogue, receipts};
use anyhow::{Context, anyhow};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::{SignedDuration, tz::TimeZone};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rows with mistakes: `EX_DATAERR` of sysexits.
const BAD_ROWS: u8 = 65;

/// What is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Products, a row each
    Catalogue,
    /// Receipts, a row for each line of each
    Receipts,
}

/// Import a catalogue or receipts from a CSV file; doing it again changes nothing
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// What is in the file
    pub kind: Kind,
    /// The CSV file, in UTF-8, with a header
    pub file: PathBuf,
    /// Which store
    #[command(flatten)]
    pub store: StoreArgs,
    /// Which column holds which field, e.g. `--map StockCode=sku`; usual names are recognised
    #[arg(long, value_name = "COLUMN=FIELD")]
    pub map: Vec<String>,
    /// Digits of the currency after the decimal mark [default: the configuration's, else 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub currency_digits: Option<u8>,
    /// Time zone of times without an offset [default: the configuration's, else UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Dates like 3/4/2026 have the day first
    #[arg(long)]
    pub day_first: bool,
    /// Prices are written 2,55
    #[arg(long)]
    pub decimal_comma: bool,
    /// Between columns [default: the likeliest of , ; tab |]
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<char>,
    /// Between the levels of a category
    #[arg(long, value_name = "TEXT", default_value = "/")]
    pub category_separator: String,
    /// Write every row that was not imported to this CSV file
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
    /// The owners of cards that nobody has yet agreed to be members; REFERENCE says where that is on
    /// record. Without this their receipts are kept without a member
    #[arg(long, value_name = "REFERENCE")]
    pub members_consented: Option<String>,
}

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: ImportArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now().utc;
    let place = args.store.place(load)?;
    let shop = place.settings.as_ref().map(|s| &s.store);
    let zone = args.time_zone.as_deref().or(shop.map(|s| s.time_zone.as_str())).unwrap_or("UTC");
    let time_zone = TimeZone::get(zone)
        .with_context(|| format!("\"{zone}\" is no time zone: use a name like Europe/Berlin"))?;
    let formats = Formats {
        time_zone,
        day_first: args.day_first,
        decimal_comma: args.decimal_comma,
        currency_digits: args.currency_digits.or(shop.map(|s| s.currency_digits)).unwrap_or(2),
        latest: now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now),
        category_separator: args.category_separator.clone(),
    };
    if formats.category_separator.is_empty() {
        return Err(anyhow!("--category-separator must not be empty"));
    }
    let delimiter = match args.delimiter.map(u8::try_from) {
        None => None,
        Some(Ok(byte)) if byte.is_ascii() && byte != b'"' && byte != b'\n' => Some(byte),
        Some(_) => return Err(anyhow!("--delimiter must be one ASCII character, not a quotation mark")),
    };
    let map = column_map(&args.map)?;
    let consent = args.members_consented.as_ref().map(|reference| Consent {
        scope: Scope::Card,
        version: TEXT.0.to_owned(),
        reference: reference.clone(),
        action: "stated by the administrator at an import".to_owned(),
        at: now,
    });
    if let Some(problem) = consent.as_ref().and_then(Consent::problem) {
        return Err(anyhow!("--members-consented: {problem}"));
    }

    // Once through to the end before anything is changed.
    let mut rows = Rows::open(&args.file, delimiter)?;
    let columns = match args.kind {
        Kind::Catalogue => catalogue::columns(rows.header(), &map),
        Kind::Receipts => receipts::columns(rows.header(), &map),
    };
    let columns = columns.map_err(|what| anyhow!("{}: {what}. Nothing was imported", args.file.display()))?;
    let total = Rows::open(&args.file, delimiter)?.count_rest()?;
    eprintln!("{}: {} rows; {}", args.file.display(), HumanCount(total), columns.describe(rows.header()));

    if let Some(list) = &args.errors
        && list.canonicalize().is_ok_and(|l| args.file.canonicalize().is_ok_and(|f| f == l))
    {
        return Err(anyhow!("--errors {} is the file that is imported: choose another name", list.display()));
    }
    let store = place.open()?;
    let mut findings = Findings::new(args.errors.as_deref())?;
    let bar = bar(total);
    let begun = Clock::system();
    let text = {
        let mut progress = |n| bar.set_position(n);
        import(&args, &store, &mut rows, &columns, &formats, consent.as_ref(), &mut findings, &mut progress)
            .context(
            "the import stopped; what was imported before that stays, and importing again goes on from there",
        )?
    };
    bar.finish_and_clear();
    print!("{text}{}", told(&findings, args.errors.as_deref()));
    println!("{:.1} s", begun.now().mono.as_secs_f64());
    let bad = findings.count(Weight::Bad) > 0;
    Ok(if bad { ExitCode::from(BAD_ROWS) } else { ExitCode::SUCCESS })
}

#[allow(clippy::too_many_arguments)]
fn import(
    args: &ImportArgs,
    store: &Store,
    rows: &mut Rows,
    columns: &Columns,
    formats: &Formats,
    consent: Option<&Consent>,
    findings: &mut Findings,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<String> {
    let mut text = String::new();
    match args.kind {
        Kind::Catalogue => {
            let done = catalogue::import(store, rows, columns, formats, findings, progress)?;
            let products = done.products;
            writeln!(
                text,
                "{} products: {} new, {} changed, {} unchanged",
                HumanCount((products.new + products.changed + products.unchanged).into()),
                HumanCount(products.new.into()),
                HumanCount(products.changed.into()),
                HumanCount(products.unchanged.into())
            )?;
            if done.repeated > 0 {
                writeln!(text, "{} rows repeat an earlier one", HumanCount(done.repeated))?;
            }
            if products.new + products.changed == 0 {
                writeln!(text, "nothing changed")?;
            }
        }
        Kind::Receipts => {
            let by = operator();
            let done = receipts::import(store, rows, columns, formats, consent, &by, findings, progress)?;
            writeln!(
                text,
                "{} new receipts with {} lines ({} returns, {} without a card)",
                HumanCount(done.counted),
                HumanCount(done.lines),
                HumanCount(done.returns),
                HumanCount(done.without_card)
            )?;
            for (count, what) in [
                (done.duplicates, "receipts were there before"),
                (done.linked, "receipts that were there are linked to their member now"),
                (done.new_members, "members made (card only, no face)"),
                (done.new_products, "products that no catalogue names yet: not suggested until one does"),
                (
                    done.kept_back,
                    "receipts kept back because of a mistake: mend the file and import it again",
                ),
            ] {
                if count > 0 {
                    writeln!(text, "{} {what}", HumanCount(count))?;
                }
            }
            if done.changed_nothing() {
                writeln!(text, "nothing changed")?;
            }
        }
    }
    Ok(text)
}

fn column_map(pairs: &[String]) -> anyhow::Result<ColumnMap> {
    let mut map = ColumnMap::default();
    for pair in pairs {
        let (column, field) = pair
            .rsplit_once('=')
            .with_context(|| format!("--map {pair}: expected COLUMN=FIELD, e.g. --map StockCode=sku"))?;
        map.0.insert(field.trim().to_owned(), column.trim().to_owned());
    }
    Ok(map)
}

fn bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = "{bar:40} {percent:>3}% {human_pos} of {human_len} rows, {per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// The findings as a person reads them: mistakes first, each group with its first rows.
fn told(findings: &Findings, list: Option<&Path>) -> String {
    let mut text = String::new();
    for (weight, title) in [
        (Weight::Bad, "rows with a mistake, not imported"),
        (Weight::LeftOut, "rows rightly left out"),
        (Weight::Remark, "remarks"),
    ] {
        let count = findings.count(weight);
        if count == 0 {
            continue;
        }
        text += &format!("{} {title}:\n", HumanCount(count));
        for (reason, group) in findings.groups().iter().filter(|(r, _)| r.weight() == weight) {
            text += &format!("  {} x {}\n", HumanCount(group.count), reason.text());
            for (line, detail) in &group.first {
                let colon = if detail.is_empty() { "" } else { ": " };
                text += &format!("    line {line}{colon}{detail}\n");
            }
            if group.count > SHOWN as u64 {
                text += "    ...\n";
            }
        }
    }
    if let (Some(file), false) = (list, text.is_empty()) {
        text += &format!("all of them: {}\n", file.display());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        import: ImportArgs,
    }

    fn run_line(folder: &Path, text: &[u8], more: &[&str]) -> anyhow::Result<ExitCode> {
        let file = folder.join("file.csv");
        std::fs::write(&file, text)?;
        let db = folder.join("db");
        let (file, db) = (file.to_string_lossy(), db.to_string_lossy());
        let line = ["import", "receipts", &file, "--db", &db].into_iter().chain(more.iter().copied());
        run(Line::try_parse_from(line)?.import, |_| Err(anyhow!("no configuration is read")))
    }

    const GOOD: &str = "receipt,at,sku,quantity,price\n1,2026-01-02 10:00,tea,1,3.49\n";

    #[test]
    fn the_exit_code_tells_whether_rows_had_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let code = |text: &str| format!("{:?}", run_line(folder.path(), text.as_bytes(), &[]).unwrap());
        assert_eq!(code(GOOD), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(&format!("{GOOD}2,never,tea,1,3.49\n")), format!("{:?}", ExitCode::from(BAD_ROWS)));
    }

    #[test]
    fn a_file_that_cannot_be_imported_changes_nothing() {
        let endless = [GOOD.as_bytes(), b"2,\"", &[b'x'; 100_000]].concat();
        let cases: [(&[u8], &[&str], &str); 7] = [
            (&endless, &[], "line 3"),
            (b"", &[], "empty"),
            (b"a,b\n1,2\n", &[], "--map COLUMN=receipt"),
            (GOOD.as_bytes(), &["--map", "sku"], "COLUMN=FIELD"),
            (GOOD.as_bytes(), &["--time-zone", "Mars/Olympus"], "Mars/Olympus"),
            (GOOD.as_bytes(), &["--delimiter", "é"], "--delimiter"),
            (GOOD.as_bytes(), &["--members-consented", " "], "reference"),
        ];
        for (text, more, word) in cases {
            let folder = tempfile::tempdir().unwrap();
            let message = format!("{:#}", run_line(folder.path(), text, more).unwrap_err());
            assert!(message.contains(word), "{word} not in: {message}");
            assert!(!folder.path().join("db").exists(), "{word}");
        }
    }

    #[test]
    fn the_list_of_errors_never_overwrites_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file.csv");
        let more = ["--errors", &file.to_string_lossy()];
        assert!(run_line(folder.path(), GOOD.as_bytes(), &more).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), GOOD);
    }
}
