//! What a person hands to the program and got wrong: configurations, photographs, CSV files. Each
//! is answered with one clear error that says what, where, and what to do, by its exit code, and by
//! nothing being changed. Every test drives the built program.

mod harness;

use harness::{Shop, ended, printed, shopguide};
use image::{ImageFormat, Rgb, RgbImage, imageops};
use rusqlite::{Connection, types::Value};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Every row of every table of a shop's database, to compare with.
fn rows(shop: &Shop) -> Vec<String> {
    let db = Connection::open(shop.data().join("shop.sqlite")).unwrap();
    let mut tables = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = Vec::new();
    for name in names {
        let mut table = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = table.column_count();
        let mut found = table.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<Value> = (0..columns).map(|n| row.get(n).unwrap()).collect();
            all.push(format!("{name}: {values:?}"));
        }
    }
    all.sort();
    assert!(!all.is_empty(), "there is nothing to compare with");
    all
}

/// Fails unless `text` holds every one of `words`.
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in what was said:\n{text}");
    }
}

// --- configurations ---------------------------------------------------------------------------

/// A good configuration with `extra` at its end; `mistake` is the text that its error must point at.
/// It must be refused with one error at that place that says each of `words`, by `check-config` and
/// by `run`, which must not have made anything.
fn refuses(extra: &str, mistake: &str, words: &[&str]) -> String {
    let shop = Shop::new(extra);
    let text = std::fs::read_to_string(shop.config()).unwrap();
    let found = text.lines().enumerate().filter_map(|(n, line)| Some((n + 1, line.find(mistake)? + 1)));
    // the last one: what comes before is the good part
    let (line, column) = found.last().unwrap();
    let place = format!("shopguide.toml:{line}:{column}: error:");
    let said = refuses_file(&shop, words);
    says(&said, &[&place]);
    said
}

/// Like [`refuses`], for a configuration that is there already.
fn refuses_file(shop: &Shop, words: &[&str]) -> String {
    let before = listing(shop.folder.path());
    let mut said = String::new();
    for command in ["check-config", "run", "enrol"] {
        let mut program = shopguide([command, "--config"]);
        program.arg(shop.config());
        if command == "enrol" {
            program.args(["--consent", "form 7", "a.jpg"]);
        }
        let output = ended(&mut program);
        said = printed(&output);
        assert_eq!(output.status.code(), Some(64), "{command}: {said}");
        says(&said, words);
        says(&said, &["the configuration has 1 error", "nothing was changed"]);
        assert_eq!(listing(shop.folder.path()), before, "{command} made something");
    }
    said
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn a_good_configuration_is_not_refused() {
    let shop = Shop::new("[recognition]\nvotes = 3\n");
    let output = shop.command(&["check-config"]);
    assert!(output.status.success(), "{}", printed(&output));
    says(&printed(&output), &["OK", "Test shop"]);
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    refuses(
        "[recognition]\nvots = 3\n",
        "vots",
        &["recognition.vots", "no such key", "did you mean `votes`?", "leave_after"],
    );
}

#[test]
fn an_unknown_section_is_named_with_the_one_that_was_meant() {
    refuses("[recogniton]\nvotes = 3\n", "recogniton", &["recogniton", "did you mean `recognition`?"]);
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_what_was_expected() {
    refuses(
        "[recognition]\nvotes = \"three\"\n",
        "\"three\"",
        &["recognition.votes", "expected a whole number of votes from 1 to 20"],
    );
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    refuses(
        "[recognition]\nvotes = 30\n",
        "30",
        &["recognition.votes", "30 is out of range", "from 1 to 20"],
    );
}

#[test]
fn a_duration_without_a_unit_is_refused_and_the_likely_one_named() {
    refuses(
        "[recognition]\nleave_after = \"4\"\n",
        "\"4\"",
        &["recognition.leave_after", "has no unit", "did you mean \"4 s\"?"],
    );
}

const CAMERA: &str = "[[display]]\nid = \"tea\"\nzone = \"tea\"\n[[camera]]\nid = \"door\"\nzone = \"tea\"\n";

#[test]
fn two_cameras_of_one_id_are_refused_with_both_lines() {
    let twice = format!(
        "{CAMERA}source = \"browser\"\n[[camera]]\nid = \"door\"\nzone = \"tea\"\nsource = \"browser\"\n"
    );
    refuses(&twice, "\"door\"", &["camera[2].id", "another camera has the id \"door\" (line 18)"]);
}

#[test]
fn a_missing_key_is_named_where_it_belongs() {
    refuses(
        &format!("{CAMERA}source = \"folder\"\n"),
        "[[camera]]",
        &["camera[1].path", "is missing", "expected a folder of JPEG and PNG files"],
    );
}

#[test]
fn a_choice_that_does_not_exist_is_refused_with_the_choices() {
    refuses(
        &format!("{CAMERA}source = \"webcam\"\n"),
        "\"webcam\"",
        &["camera[1].source", "not one of the choices", "\"v4l\"", "\"browser\""],
    );
}

#[test]
fn an_id_that_fits_no_address_is_refused_with_one_that_does() {
    refuses(
        &CAMERA
            .replace("\"door\"", "\"Front Door\"")
            .replace("[[camera]]", "[[camera]]\nsource = \"browser\""),
        "\"Front Door\"",
        &["camera[1].id", "did you mean \"front-door\"?"],
    );
}

#[test]
fn an_address_of_another_kind_is_refused_with_an_example() {
    refuses(
        &format!("{CAMERA}source = \"mjpeg\"\nurl = \"ftp://camera/x\"\n"),
        "\"ftp://camera/x\"",
        &["camera[1].url", "expected an http:// or https:// URL"],
    );
}

#[test]
fn a_password_in_the_configuration_is_refused_and_never_shown() {
    let said = refuses(
        "[mqtt]\nenabled = true\nuser = \"u\"\npassword = \"hunter2-secret\"\n",
        "\"hunter2-secret\"",
        &["mqtt.password", "password_file", "password_credential"],
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_web_server_open_to_everybody_needs_a_token() {
    let shop = Shop::new("");
    let text = std::fs::read_to_string(shop.config()).unwrap();
    let open = text.replace(&format!("\"127.0.0.1:{}\"", shop.web), &format!("\"0.0.0.0:{}\"", shop.web));
    assert_ne!(open, text);
    std::fs::write(shop.config(), open).unwrap();
    refuses_file(&shop, &["web.", "api_token_file"]);
}

#[test]
fn broken_syntax_is_refused_at_its_place() {
    let shop = Shop::new("[camera\nid = \"door\"\n");
    refuses_file(
        &shop,
        &["shopguide.toml:14:8: error:", "the header of a section is not well formed", "[[camera]]"],
    );
}

#[test]
fn a_configuration_that_is_no_text_is_refused() {
    let shop = Shop::new("");
    let mut bytes = std::fs::read(shop.config()).unwrap();
    bytes.extend(b"# caf\xe9\n");
    std::fs::write(shop.config(), bytes).unwrap();
    refuses_file(&shop, &["not UTF-8 at line 14, column 6", "save the file as UTF-8"]);
}

#[test]
fn a_configuration_that_is_not_there_is_refused() {
    let shop = Shop::bare();
    refuses_file(&shop, &["shopguide.toml", "there is no such file", "--config FILE"]);
}

#[test]
fn every_mistake_is_said_at_once() {
    let shop = Shop::new("[recognition]\nvotes = 30\nvots = 3\n[log]\nfilter = \"shout\"\n");
    let output = shop.command(&["check-config"]);
    let said = printed(&output);
    assert_eq!(output.status.code(), Some(64));
    says(&said, &["recognition.votes", "recognition.vots", "log.filter", "has 3 errors"]);
}

// --- photographs ------------------------------------------------------------------------------

/// A shop with one member, and photographs of two people who do not exist.
struct Studio {
    shop: Shop,
    anna: Vec<PathBuf>,
    ben: Vec<PathBuf>,
    before: Vec<String>,
}

impl Studio {
    fn new() -> Self {
        let shop = Shop::new("");
        let faces = shop.folder.path().join("faces");
        let made = ended(shopguide(["demo", "--seed", "3", "--count", "2", "--export-faces"]).arg(&faces));
        assert!(made.status.success(), "{}", printed(&made));
        let photographs = |who: &str| -> Vec<PathBuf> {
            (0..6).map(|n| faces.join(format!("s3-0000{who}/0{n}.jpg"))).collect()
        };
        let csv = format!("{HEADER}\nr1,2026-01-02 10:00,tea,1,3.49,card-1\n");
        let (code, said) = import(&shop, "receipts", csv.as_bytes(), &["--members-consented", "form 1"]);
        assert_eq!(code, 0, "{said}");
        let before = rows(&shop);
        let (anna, ben) = (photographs("0"), photographs("1"));
        Self { shop, anna, ben, before }
    }

    fn enrol(&self, photographs: &[&Path], consent: &str) -> (i32, String) {
        let mut program = shopguide(["enrol", "--consent", consent, "--config"]);
        let output = ended(program.arg(self.shop.config()).args(photographs));
        (output.status.code().unwrap(), printed(&output))
    }

    /// Two good photographs and this one: nobody is enrolled, and the error names the file and says
    /// each of `words`.
    fn refuses(&self, name: &str, bytes: &[u8], words: &[&str]) {
        let file = self.shop.folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        self.refuses_file(&file, words);
    }

    fn refuses_file(&self, file: &Path, words: &[&str]) {
        let (code, said) = self.enrol(&[&self.anna[0], &self.anna[1], file], "form 7");
        assert_eq!(code, 1, "{said}");
        says(&said, words);
        says(&said, &["nobody was enrolled", "good photographs, but an enrolment takes 3"]);
        let about = said.lines().find(|line| line.contains("not used")).unwrap_or("");
        assert!(about.contains(&*file.to_string_lossy()), "the file is not named: {said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(rows(&self.shop), self.before, "something was changed");
    }

    fn picture(&self, n: usize) -> RgbImage {
        decoded(&self.anna[n])
    }
}

fn decoded(file: &Path) -> RgbImage {
    shopguide::camera::decode::decode(&std::fs::read(file).unwrap()).unwrap()
}

fn coded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A room without anybody in it.
fn room(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (60 + x * 90 / width) as u8,
            (80 + y * 70 / height) as u8,
            if x > width / 2 { 150 } else { 110 },
        ])
    })
}

#[test]
fn good_photographs_are_enrolled_although_one_among_them_is_bad() {
    let studio = Studio::new();
    let bad = studio.shop.folder.path().join("empty.jpg");
    std::fs::write(&bad, b"").unwrap();
    let mut all: Vec<&Path> = studio.anna.iter().map(PathBuf::as_path).collect();
    all.push(&bad);
    let (code, said) = studio.enrol(&all, "form 7");
    assert_eq!(code, 0, "{said}");
    says(&said, &["Enrolled", "empty.jpg: not used"]);
    let after = rows(&studio.shop);
    let count = |table: &str| after.iter().filter(|row| row.starts_with(table)).count();
    assert_eq!((count("members: "), count("templates: ")), (2, 3));
}

#[test]
fn an_empty_file_is_no_photograph() {
    Studio::new().refuses("empty.jpg", b"", &["the image is empty (0 bytes)"]);
}

#[test]
fn a_text_named_like_a_photograph_is_told_from_one() {
    Studio::new().refuses("letter.jpg", b"Dear customer, ...\n", &["not a JPEG or PNG image but text"]);
}

#[test]
fn a_jpeg_that_was_cut_short_is_refused() {
    let studio = Studio::new();
    let whole = std::fs::read(&studio.anna[2]).unwrap();
    studio.refuses("half.jpg", &whole[..whole.len() / 2], &["stops before its end"]);
}

#[test]
fn a_png_that_claims_to_be_huge_is_refused_by_its_header() {
    let mut png = coded(&room(64, 64), ImageFormat::Png);
    png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    Studio::new().refuses("huge.png", &png, &["60000x60000 pixels", "at most 40 million"]);
}

#[test]
fn a_damaged_png_is_refused() {
    let studio = Studio::new();
    let mut png = coded(&studio.picture(2), ImageFormat::Png);
    let middle = png.len() / 2;
    png[middle..middle + 64].fill(0x55);
    studio.refuses("damaged.png", &png, &["the PNG image is damaged"]);
}

#[test]
fn other_formats_are_named() {
    let studio = Studio::new();
    studio.refuses("a.jpg", b"GIF89a\x01\0\x01\0\0\0\0;", &["but a GIF: save it as JPEG or PNG"]);
    studio.refuses("b.jpg", b"RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0", &["but a WebP image"]);
    studio.refuses("c.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", &["but an HEIC photo"]);
}

#[test]
fn a_picture_without_a_face_is_refused() {
    let jpeg = coded(&room(640, 480), ImageFormat::Jpeg);
    Studio::new().refuses("room.jpg", &jpeg, &["no face was found", "use a photograph of one face"]);
}

#[test]
fn a_picture_of_two_people_is_refused() {
    let studio = Studio::new();
    let (left, right) = (studio.picture(0), decoded(&studio.ben[1]));
    let mut both = RgbImage::new(left.width() + right.width(), left.height().max(right.height()));
    imageops::replace(&mut both, &left, 0, 0);
    imageops::replace(&mut both, &right, left.width().into(), 0);
    studio.refuses(
        "both.png",
        &coded(&both, ImageFormat::Png),
        &["2 faces of similar size", "one person alone"],
    );
}

#[test]
fn a_tiny_picture_is_refused() {
    let png = coded(&room(8, 8), ImageFormat::Png);
    Studio::new().refuses("icon.png", &png, &["8x8 pixels", "a side must have 16 to 8192"]);
}

#[test]
fn a_photograph_that_is_not_there_is_named() {
    let studio = Studio::new();
    studio.refuses_file(&studio.shop.folder.path().join("lost.jpg"), &["cannot be read", "No such file"]);
    studio.refuses_file(&studio.shop.data(), &["cannot be read", "Is a directory"]);
}

#[test]
fn two_photographs_are_too_few() {
    let studio = Studio::new();
    let (code, said) = studio.enrol(&[&studio.anna[0], &studio.anna[1]], "form 7");
    assert_eq!(code, 1, "{said}");
    says(&said, &["good photographs, but an enrolment takes 3: add photographs"]);
    assert_eq!(rows(&studio.shop), studio.before);
}

#[test]
fn photographs_of_two_people_are_no_member() {
    let studio = Studio::new();
    let (code, said) = studio.enrol(&[&studio.anna[0], &studio.anna[1], &studio.ben[2]], "form 7");
    assert_eq!(code, 1, "{said}");
    says(&said, &["do not seem to show the same person", "use photographs of one person"]);
    assert_eq!(rows(&studio.shop), studio.before);
}

#[test]
fn nobody_is_enrolled_without_a_word_on_their_consent() {
    let studio = Studio::new();
    let all: Vec<&Path> = studio.anna.iter().map(PathBuf::as_path).collect();
    let (code, said) = studio.enrol(&all, "  ");
    assert_eq!(code, 1, "{said}");
    says(&said, &["reference"]);
    assert_eq!(rows(&studio.shop), studio.before);
}

// --- CSV files --------------------------------------------------------------------------------

const HEADER: &str = "receipt,at,sku,quantity,price,card";

/// Imports these bytes; the exit code and what was said.
fn import(shop: &Shop, kind: &str, bytes: &[u8], more: &[&str]) -> (i32, String) {
    let file = shop.folder.path().join("file.csv");
    std::fs::write(&file, bytes).unwrap();
    let mut program = shopguide(["import", kind]);
    let output = ended(program.arg(&file).arg("--config").arg(shop.config()).args(more));
    let said = printed(&output);
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().unwrap(), said)
}

/// Receipts and how many lines each has.
fn receipts(shop: &Shop) -> Vec<(String, i64)> {
    let db = Connection::open(shop.data().join("shop.sqlite")).unwrap();
    let mut query = db
        .prepare("SELECT r.receipt, (SELECT COUNT(*) FROM lines l WHERE l.receipt = r.id) FROM receipts r ORDER BY 1")
        .unwrap();
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// A shop that has the receipt `r0` already.
fn with_a_receipt() -> Shop {
    let shop = Shop::new("");
    let csv = format!("{HEADER}\nr0,2026-01-02 10:00,tea,1,3.49,\n");
    let (code, said) = import(&shop, "receipts", csv.as_bytes(), &[]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(receipts(&shop), [("r0".to_owned(), 1)]);
    shop
}

/// The file is refused as a whole, with each of `words`, and nothing is changed.
fn refuses_csv(bytes: &[u8], words: &[&str]) {
    let shop = with_a_receipt();
    let before = rows(&shop);
    let (code, said) = import(&shop, "receipts", bytes, &[]);
    assert_eq!(code, 1, "{said}");
    says(&said, &["file.csv", "Nothing was imported"]);
    says(&said, words);
    assert_eq!(rows(&shop), before);
}

/// Rows with mistakes are reported with each of `words`; of the file exactly the receipts `stored`
/// (and their numbers of lines) are there afterwards. A second import changes nothing.
fn reports(bytes: &[u8], words: &[&str], stored: &[(&str, i64)]) -> Shop {
    let shop = with_a_receipt();
    let (code, said) = import(&shop, "receipts", bytes, &[]);
    assert_eq!(code, 65, "{said}");
    says(&said, words);
    let mut expected = vec![("r0".to_owned(), 1)];
    expected.extend(stored.iter().map(|(id, lines)| ((*id).to_owned(), *lines)));
    assert_eq!(receipts(&shop), expected, "{said}");
    let before = rows(&shop);
    let (code, said) = import(&shop, "receipts", bytes, &[]);
    assert_eq!(code, 65, "{said}");
    says(&said, &["nothing changed"]);
    says(&said, words);
    assert_eq!(rows(&shop), before, "the second import changed something");
    shop
}

fn csv(lines: &[&str]) -> Vec<u8> {
    (HEADER.to_owned() + "\n" + &lines.join("\n") + "\n").into_bytes()
}

#[test]
fn an_empty_csv_file_is_refused() {
    refuses_csv(b"", &["it is empty"]);
}

#[test]
fn a_csv_file_whose_header_says_nothing_is_refused_with_the_way_to_name_columns() {
    refuses_csv(b"a,b\n1,2\n", &["no column for receipt", "--map COLUMN=receipt", "the columns are a, b"]);
}

#[test]
fn a_spreadsheet_s_own_encoding_is_refused() {
    let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    refuses_csv(&utf16, &["zero bytes", "UTF-8"]);
}

#[test]
fn a_csv_file_that_is_not_there_is_named() {
    let shop = with_a_receipt();
    let before = rows(&shop);
    let output = shop.command(&["import", "receipts", "/nowhere/sales.csv"]);
    assert_eq!(output.status.code(), Some(1));
    says(&printed(&output), &["/nowhere/sales.csv", "No such file"]);
    assert_eq!(rows(&shop), before);
}

#[test]
fn a_row_with_the_wrong_number_of_columns_is_reported_with_its_line() {
    reports(
        &csv(&[
            "r1,2026-01-02 10:00,tea,1,3.49",
            "r2,2026-01-02 10:00,tea,1,3.49,,zz",
            "r3,2026-01-02 10:00,tea,1,3.49,",
        ]),
        &["line 2: expected 6 columns, found 5", "line 3: expected 6 columns, found 7"],
        &[("r3", 1)],
    );
}

#[test]
fn half_a_receipt_is_not_stored_and_the_mended_one_is_whole() {
    let shop = reports(
        &csv(&[
            "r1,2026-01-02 10:00,tea,1,3.49,",
            "r1,2026-01-02 10:00,oil,1,5.00",
            "r2,2026-01-02 10:00,tea,1,3.49,",
        ]),
        &["line 3: expected 6 columns, found 5"],
        &[("r2", 1)],
    );
    let mended = csv(&[
        "r1,2026-01-02 10:00,tea,1,3.49,",
        "r1,2026-01-02 10:00,oil,1,5.00,",
        "r2,2026-01-02 10:00,tea,1,3.49,",
    ]);
    let (code, said) = import(&shop, "receipts", &mended, &[]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(receipts(&shop), [("r0".to_owned(), 1), ("r1".to_owned(), 2), ("r2".to_owned(), 1)]);
}

#[test]
fn bytes_that_are_no_text_are_reported_with_their_line_and_column() {
    let mut bytes = csv(&[
        "r1,2026-01-02 10:00,oil,1,3.49,",
        "r1,2026-01-02 10:00,t*a,1,3.49,",
        "r2,2026-01-02 10:00,tea,1,3.49,",
    ]);
    let star = bytes.iter().position(|b| *b == b'*').unwrap();
    bytes[star] = 0xff;
    reports(
        &bytes,
        &["not UTF-8 text", "line 3: sku", "receipt kept back because of another of its rows"],
        &[("r2", 1)],
    );
}

#[test]
fn a_date_that_is_none_is_reported_with_what_is_understood() {
    reports(
        &csv(&["r1,31.02.2026,tea,1,3.49,", "r2,2026-01-02,tea,1,3.49,", "r3,2199-01-01,tea,1,3.49,"]),
        &[
            "time not understood",
            "line 2: \"31.02.2026\" is none of",
            "line 4: \"2199-01-01\" is in the future",
        ],
        &[("r2", 1)],
    );
}

#[test]
fn a_price_that_is_none_is_reported() {
    reports(
        &csv(&["r1,2026-01-02,tea,1,cheap,", "r2,2026-01-02,tea,1,3.49,", "r3,2026-01-02,tea,1,1e999,"]),
        &["price not understood", "line 2: \"cheap\" is not a number like 12.50", "line 4: \"1e999\""],
        &[("r2", 1)],
    );
}

#[test]
fn a_quantity_is_a_number_and_below_zero_a_return() {
    let shop = reports(
        &csv(&[
            "r1,2026-01-02,tea,many,3,",
            "r2,2026-01-02,tea,-2,3,",
            "r3,2026-01-02,tea,0,3,",
            "r4,2026-01-02,tea,NaN,3,",
        ]),
        &[
            "quantity not understood",
            "line 2: \"many\"",
            "line 5: \"NaN\"",
            "quantity 0, not a sale",
            "line 4: 0 x \"tea\"",
        ],
        &[("r2", 1)],
    );
    let db = Connection::open(shop.data().join("shop.sqlite")).unwrap();
    let least: f64 = db.query_row("SELECT MIN(quantity) FROM lines", [], |row| row.get(0)).unwrap();
    assert_eq!(least, -2.0);
}

#[test]
fn zero_bytes_are_reported_for_what_they_are() {
    reports(
        &csv(&[
            "r1,2026-01-02,t\0ea,1,3,",
            "r\x002,2026-01-02,tea,1,3,",
            "r3,2026-01-02,tea,1,3\0,",
            "r4,2026-01-02,tea,1,3,",
        ]),
        &["line 2: receipt \"r1\"", "control character", "line 3: ", "line 4: \"3\u{fffd}\" is not a number"],
        &[("r4", 1)],
    );
}

#[test]
fn a_quotation_mark_that_is_never_closed_is_said_to_be_missing() {
    reports(
        &csv(&["r1,2026-01-02,tea,1,3,", "r2,2026-01-02,\"tea,1,3,", "r3,2026-01-02,tea,1,3,"]),
        &["line 3: expected 6 columns, found 3", "goes on to line 4: a quotation mark may be missing"],
        &[("r1", 1)],
    );
    // and when it swallows more than any row may have, the whole file is refused
    let mut endless = csv(&["r1,2026-01-02,tea,1,3,"]);
    endless.extend(b"r2,2026-01-02,\"");
    endless.extend(std::iter::repeat_n(b'x', 100_000));
    refuses_csv(&endless, &["line 3"]);
}

#[test]
fn a_receipt_number_with_other_content_leaves_the_stored_one() {
    let shop = with_a_receipt();
    let before = rows(&shop);
    let (code, said) = import(&shop, "receipts", &csv(&["r0,2026-01-02 10:00,tea,7,3.49,"]), &[]);
    assert_eq!(code, 65, "{said}");
    says(&said, &["receipt number exists with other content; the stored one stays", "line 2: \"r0\""]);
    assert_eq!(rows(&shop), before);
}

#[test]
fn one_receipt_of_two_members_is_kept_back() {
    reports(
        &csv(&["r1,2026-01-02,tea,1,3,card-1", "r1,2026-01-02,oil,1,3,card-2", "r2,2026-01-02,tea,1,3,"]),
        &["one receipt with two members", "line 3"],
        &[("r2", 1)],
    );
}

#[test]
fn a_catalogue_s_mistakes_are_reported_and_its_good_rows_taken_once() {
    let shop = with_a_receipt();
    let catalogue = b"sku,name,price\nrice,Rice,3\n,No sku,4\nnut,,4\nale,Ale,dear\n";
    let (code, said) = import(&shop, "catalogue", catalogue, &[]);
    assert_eq!(code, 65, "{said}");
    says(&said, &["1 new", "line 3: sku", "line 4: name", "line 5: \"dear\" is not a number"]);
    let before = rows(&shop);
    assert!(before.iter().any(|row| row.contains("\"Rice\"")));
    assert!(!before.iter().any(|row| row.contains("\"Ale\"") || row.contains("\"No sku\"")));
    let (code, said) = import(&shop, "catalogue", catalogue, &[]);
    assert_eq!(code, 65, "{said}");
    says(&said, &["nothing changed"]);
    assert_eq!(rows(&shop), before);
}

#[test]
fn what_was_not_imported_can_be_had_as_a_list() {
    let shop = with_a_receipt();
    let list = shop.folder.path().join("mistakes.csv");
    let (code, said) = import(
        &shop,
        "receipts",
        &csv(&["r1,2026-01-02,tea,1,cheap,", "r2,2026-01-02,tea,1,3,"]),
        &["--errors", &list.to_string_lossy()],
    );
    assert_eq!(code, 65, "{said}");
    let text = std::fs::read_to_string(&list).unwrap();
    assert!(text.lines().any(|line| line.starts_with('2') && line.contains("cheap")), "{text}");
}
