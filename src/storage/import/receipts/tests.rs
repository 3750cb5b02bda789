//! Promises of the import of receipts, on files as shops have them.

use super::*;
use crate::privacy::consent::Scope;
use crate::storage::fixture::{Shop, at, consent};
use crate::storage::import::fields::formats;
use crate::storage::import::findings::Weight;
use proptest::prelude::*;
use std::path::Path;

fn import_text(shop: &Shop, text: &str, consented: bool) -> (ReceiptsImported, Findings) {
    let mut rows = Rows::read(Path::new("test.csv"), text.as_bytes(), b',').unwrap();
    let columns = columns(rows.header(), &ColumnMap::default()).unwrap();
    let consent = consented.then(|| consent(Scope::Card));
    let mut findings = Findings::default();
    let done = import(
        &shop.store,
        &mut rows,
        &columns,
        &formats(),
        consent.as_ref(),
        "test",
        &mut findings,
        &mut |_| {},
    );
    (done.unwrap(), findings)
}

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn file(rows: &[&str]) -> String {
    format!("{HEADER}{}\n", rows.join("\n"))
}

#[test]
fn a_file_imported_twice_changes_nothing_the_second_time() {
    let shop = Shop::new();
    let text = file(&[
        "1,tea,GREEN TEA,2,2010-12-01 08:26:00,2.55,17850,UK",
        "1,jam,JAM,1,2010-12-01 08:26:00,3.39,17850,UK",
        "2,tea,GREEN TEA,1,2010-12-01 09:00:00,2.55,,UK",
        "C3,jam,JAM,-1,2010-12-02 10:00:00,3.39,17850,UK",
    ]);
    let (first, findings) = import_text(&shop, &text, true);
    assert_eq!((first.rows, first.counted, first.lines, first.returns), (4, 3, 4, 1));
    assert_eq!((first.new_members, first.without_card, first.new_products), (1, 1, 2));
    assert!(findings.groups().is_empty());
    let member = shop.store.member_by_token("17850").unwrap().unwrap();
    assert!(!member.face_consent);
    assert_eq!(shop.store.history(member.id).unwrap().baskets[0].lines.len(), 1, "the jam went back");
    let before = (shop.rows(), shop.store.counts().unwrap().audit);
    let (second, _) = import_text(&shop, &text, true);
    assert!(second.changed_nothing(), "{second:?}");
    assert_eq!(second.duplicates, 3);
    assert_eq!((shop.rows(), shop.store.counts().unwrap().audit), before);
}

#[test]
fn without_the_administrators_word_nobody_becomes_a_member() {
    let shop = Shop::new();
    let text = file(&["1,tea,TEA,2,2010-12-01 08:26:00,2.55,17850,UK"]);
    let (done, findings) = import_text(&shop, &text, false);
    assert_eq!((done.counted, done.new_members), (1, 0));
    assert_eq!(findings.groups()[&Reason::UnknownCard].count, 1);
    assert!(shop.store.members().unwrap().is_empty());
    let (later, _) = import_text(&shop, &text, true);
    assert_eq!((later.linked, later.new_members), (1, 1));
}

#[test]
fn an_erased_customer_does_not_come_back_with_the_next_import() {
    let shop = Shop::new();
    let text = file(&["1,tea,TEA,2,2010-12-01 08:26:00,2.55,17850,UK"]);
    import_text(&shop, &text, true);
    let member = shop.store.member_by_token("17850").unwrap().unwrap();
    shop.store.erase_member(member.id, "test", at(0)).unwrap();
    let (done, findings) = import_text(&shop, &text, true);
    assert!(done.changed_nothing());
    assert_eq!(findings.groups()[&Reason::ErasedCard].count, 1);
    assert!(shop.store.members().unwrap().is_empty());
}

#[test]
fn a_receipt_with_a_bad_row_is_kept_back_whole_and_comes_whole_once_it_is_mended() {
    let shop = Shop::new();
    let rows = |price: &str| {
        file(&[
            "1,tea,TEA,2,2010-12-01 08:26:00,2.55,,UK",
            &format!("1,jam,JAM,1,2010-12-01 08:26:00,{price},,UK"),
            "2,tea,TEA,1,2010-12-01 09:00:00,2.55,,UK",
        ])
    };
    let (done, findings) = import_text(&shop, &rows("free"), false);
    assert_eq!((done.counted, done.kept_back), (1, 1));
    assert_eq!(
        findings.groups()[&Reason::BadPrice].first,
        [(3, "\"free\" is not a number like 12.50".to_owned())]
    );
    assert_eq!(findings.groups()[&Reason::WithBadRow].first[0].0, 2);
    let (mended, findings) = import_text(&shop, &rows("3.00"), false);
    assert_eq!((mended.counted, mended.lines, mended.duplicates), (1, 2, 1));
    assert_eq!(findings.count(Weight::Bad), 0);
}

#[test]
fn every_reason_is_told_with_its_line() {
    let shop = Shop::new();
    let long = "x".repeat(80);
    let text = file(&[
        "1,tea,TEA,2,2010-12-01 08:26:00,2.55",
        ",tea,TEA,2,2010-12-01 08:26:00,2.55,,UK",
        "2,tea,TEA,2,yesterday,2.55,,UK",
        "3,tea,TEA,two,2010-12-01 08:26:00,2.55,,UK",
        "4,tea,TEA,0,2010-12-01 08:26:00,2.55,,UK",
        "5,tea,,-9,2010-12-01 08:26:00,0.0,,UK",
        "6,B,Adjust bad debt,1,2010-12-01 08:26:00,-11062.06,,UK",
        "7,tea,TEA,1,2010-12-01 08:26:00,2.55,a b,UK",
        "8,tea,TEA,1,2010-12-01 08:26:00,2.55,17850,UK",
        "8,tea,TEA,1,2010-12-01 08:26:00,2.55,17851,UK",
        &format!("9,{long},TEA,1,2010-12-01 08:26:00,2.55,,UK"),
    ]);
    let (done, findings) = import_text(&shop, &text, false);
    assert_eq!(done.counted, 0);
    let lines: Vec<(Reason, u64)> = findings.groups().iter().map(|(r, g)| (*r, g.first[0].0)).collect();
    let expected = [
        (Reason::ColumnCount, 2),
        (Reason::Missing, 3),
        (Reason::BadTime, 4),
        (Reason::BadQuantity, 5),
        (Reason::BadCard, 9),
        (Reason::Unacceptable, 12),
        (Reason::TwoMembers, 11),
        (Reason::WithBadRow, 2),
        (Reason::StockCorrection, 7),
        (Reason::Bookkeeping, 8),
        (Reason::Nothing, 6),
    ];
    assert_eq!(lines, expected);
    assert!(shop.rows().is_empty());
}

#[test]
fn rows_of_one_receipt_may_stand_apart() {
    let shop = Shop::new();
    let text = file(&[
        "1,tea,TEA,2,2010-12-01 08:26:00,2.55,,UK",
        "2,tea,TEA,1,2010-12-01 09:00:00,2.55,,UK",
        "1,jam,JAM,1,2010-12-01 08:27:00,3.39,,UK",
    ]);
    let (done, _) = import_text(&shop, &text, false);
    assert_eq!((done.counted, done.lines), (2, 3));
}

#[test]
fn a_row_that_comes_too_far_after_its_receipt_is_told() {
    let shop = Shop::new();
    let mut rows = vec!["1,tea,TEA,2,2010-12-01 08:26:00,2.55,,UK".to_owned()];
    rows.extend((0..OPEN + 10).map(|n| format!("r{n},tea,TEA,2,2010-12-01 08:26:00,2.55,,UK")));
    rows.push("1,jam,JAM,1,2010-12-01 08:26:00,3.39,,UK".to_owned());
    let (done, findings) =
        import_text(&shop, &file(&rows.iter().map(String::as_str).collect::<Vec<_>>()), false);
    assert_eq!(done.differing, 1);
    assert_eq!(findings.groups()[&Reason::Differs].first[0].0, OPEN as u64 + 13);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_file_is_imported_or_told_and_never_panics(
        rows in proptest::collection::vec("[0-9CA]{0,2},[a-c]{0,2},[A-Z \"]{0,3},-?[0-9.]{0,3},(2010-12-01 08:26|[0-9/ :]{0,8}),-?[0-9.]{0,4},[0-9]{0,2},UK", 0..40),
    ) {
        let shop = Shop::new();
        let text = format!("{HEADER}{}\n", rows.join("\n"));
        let (first, _) = import_text(&shop, &text, true);
        let before = shop.rows();
        let (second, _) = import_text(&shop, &text, true);
        prop_assert!(second.changed_nothing(), "{first:?} then {second:?}");
        prop_assert_eq!(shop.rows(), before);
    }
}
