//! `[[label]]` and `[fonts]`: shelf labels of electronic paper, and what is written on them with.

use super::camera_url::host_of;
use crate::ops::settings::files;
use crate::ops::settings::finding::Finding;
use crate::ops::settings::shape::{Refusal, Shape, choice, length_of_time, parsed, texts, whole, word};
use crate::ops::settings::table::Table;
use crate::publish::label::settings::{Colours, FontFile, LabelSettings};
use std::time::Duration;

/// What a tag's paper can show, by the words that access points use.
const COLOURS: [(&str, Colours); 3] =
    [("bw", Colours::BlackWhite), ("bwr", Colours::Red), ("bwy", Colours::Yellow)];

/// What people write for them.
const COLOUR_NAMES: [(&str, &str); 5] = [
    ("black-white", "bw"),
    ("red", "bwr"),
    ("black-white-red", "bwr"),
    ("yellow", "bwy"),
    ("black-white-yellow", "bwy"),
];

pub(super) fn read(table: &Table<'_, '_>) -> Option<LabelSettings> {
    let display = table.required("display", &word("the [[display]] whose store-level slate it shows"));
    let access_point = table.required("access_point", &access_point());
    let mac = table.required("mac", &mac());
    let width = table.required("width", &whole(64..=1600, "pixels"));
    let height = table.required("height", &whole(64..=1600, "pixels"));
    let colours = table.or("colours", &choice(&COLOURS, &COLOUR_NAMES), Colours::BlackWhite);
    let every = length_of_time(Duration::from_secs(60)..=Duration::from_secs(86_400));
    let every = table.or("every", &every, Duration::from_secs(60));
    table.finish();
    let (access_point, mac) = (access_point?, mac?);
    Some(LabelSettings {
        display: display?,
        access_point,
        mac,
        width: width?,
        height: height?,
        colours,
        every,
    })
}

/// `[fonts] files`: each a path, with `#N` behind it for another font of a collection than the first.
pub(super) fn read_fonts(table: &Table<'_, '_>) -> Vec<FontFile> {
    let named = table.optional("files", &texts("font files, the first one first")).unwrap_or_default();
    table.finish();
    let mut fonts = Vec::new();
    for text in named {
        let (path, index) = match text.rsplit_once('#') {
            Some((path, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                (path, digits.parse().unwrap_or(u32::MAX))
            }
            _ => (text.as_str(), 0),
        };
        let found =
            files::resolve(&table.reader().folder, path).and_then(|path| match std::fs::metadata(&path) {
                Ok(meta) if meta.is_file() => Ok(path),
                Ok(_) => Err(Refusal::because("is not a file")),
                Err(error) => Err(Refusal::because(format!("cannot be read: {error}"))),
            });
        match found {
            Ok(path) => fonts.push(FontFile { path, index }),
            Err(refusal) => {
                let problem = refusal.problem.unwrap_or_default();
                let finding = Finding::error(format!("{text:?} {problem}"));
                let expected =
                    "TrueType or OpenType files, \"/path/letters.ttc#2\" for the third font of a collection";
                table.report("files", finding.expected(expected));
            }
        }
    }
    fonts
}

fn access_point() -> Shape<'static, String> {
    parsed("the address of an OpenEPaperLink access point, e.g. \"http://192.0.2.30\"", |text| {
        let Some((scheme, rest)) = text.split_once("://") else {
            let meant = (!text.is_empty() && !text.contains(' ')).then(|| format!("\"http://{text}\""));
            return Err(Refusal::because("names no http://").meant(meant));
        };
        if scheme != "http" {
            let refusal = Refusal::because("is not an http:// address");
            return Err(refusal.help("an access point speaks plain http: keep it in the shop's own network"));
        }
        if rest.contains(['@', '?', '#']) || rest.trim_end_matches('/').contains('/') {
            let refusal = Refusal::because("has more than a host and a port");
            return Err(refusal.help("an access point has no login and no path"));
        }
        host_of(scheme, rest).map(|_| text.trim_end_matches('/').to_owned())
    })
}

fn mac() -> Shape<'static, String> {
    parsed("a tag's name as its access point lists it: 12 or 16 of 0-9 and A-F in quotes", |text| {
        let plain: String = text.chars().filter(|c| !":- ".contains(*c)).collect::<String>().to_uppercase();
        let fits = matches!(plain.len(), 12 | 16) && plain.bytes().all(|b| b.is_ascii_hexdigit());
        match (fits, plain == text.to_uppercase()) {
            (true, true) => Ok(plain),
            (true, false) => {
                Err(Refusal::because("holds more than digits").meant(Some(format!("{plain:?}"))))
            }
            (false, _) => Err(Refusal::because("is not a tag's name")),
        }
    })
}
