//! One test for each way in which a file is not TOML.

use super::{error, errors, with_line, with_more};

#[test]
fn a_text_that_is_not_closed() {
    error(&with_line(3, "name = \"Harbour")).says(3, "", &["a text that is not closed", "name = \"Harbour"]);
}

#[test]
fn a_text_without_quotes() {
    error(&with_line(7, "source = browser")).says(
        7,
        "",
        &["a text without quotes", "straight double quotes"],
    );
}

#[test]
fn yes_for_true() {
    error(&with_more("[web]\nlive_view = yes")).says(
        12,
        "",
        &["neither true nor false", "write true or false"],
    );
}

#[test]
fn a_key_without_a_value() {
    error(&with_line(3, "name =")).says(3, "", &["a value is missing", "write key = value"]);
    error(&with_line(3, "name")).says(3, "", &["a key without `= value`"]);
}

#[test]
fn a_section_that_is_not_closed() {
    error(&with_line(4, "[[camera]")).says(4, "", &["the header of a section", "[[camera]]"]);
}

#[test]
fn a_list_that_is_not_closed() {
    let found = errors(&with_line(7, "source = \"ffmpeg\"\ninput_args = [\"-re\""));
    assert_eq!(found.len(), 1);
    found[0].says(9, "", &["a list that is not closed", "it may begin on a line above"]);
}

#[test]
fn a_key_given_twice() {
    error(&with_line(3, "name = \"A\"\nname = \"B\"")).says(
        4,
        "name",
        &["given twice (also on line 3)", "keep one"],
    );
}

#[test]
fn a_section_opened_twice() {
    error(&with_more("[web]\nlive_view = true\n[web]\nlisten = \"127.0.0.1:1\"")).says(
        13,
        "web",
        &["opened twice (also on line 11)", "under one of the two"],
    );
}

#[test]
fn several_syntax_errors_are_all_named_and_nothing_is_invented() {
    let text = with_more("[web]\nlisten = here\n[log]\nfilter = \"info");
    let lines: Vec<_> = errors(&text).iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [12, 14]);
}

#[test]
fn what_stands_above_a_syntax_error_is_still_judged() {
    let text = with_line(2, "id = \"Bad Id\"") + "[web]\nlisten = here\n[log]\nfiltre = 3\n";
    let lines: Vec<_> = errors(&text).iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [2, 12]);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_no_mistake() {
    let text = format!("\u{feff}{}", with_more("").replace('\n', "\r\n"));
    assert!(super::read(&text).is_ok());
    error(&text.replace("\"browser\"", "\"browse\"")).says(
        7,
        "camera[1].source",
        &["did you mean \"browser\"?"],
    );
}

#[test]
fn nesting_without_end_is_refused() {
    let found = errors(&with_more(&format!("x = {}", "[".repeat(5000))));
    assert!(!found.is_empty());
}
