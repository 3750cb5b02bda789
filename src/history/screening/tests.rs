//! What screening must find, and what it must leave alone.

use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_760_000_000;
const DAY: i64 = 86_400;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn line(product: i64, quantity: f64, unit_price: i64) -> Line {
    Line { product: ProductId(product), quantity, unit_price }
}

fn basket(seconds_ago: i64, lines: Vec<Line>) -> Basket {
    Basket { at: Timestamp::from_second(NOW - seconds_ago).unwrap(), lines }
}

/// Members who come every week for half a year and pay, from their second week on twice on Mondays.
fn regulars(members: i64) -> BTreeMap<MemberId, History> {
    let of = |member: i64| {
        let weekly = |week: i64| basket(week * 7 * DAY + member, vec![line(member % 5, 1.0, 100 + week)]);
        let again = |week: i64| basket(week * 7 * DAY - 600 + member, vec![line(9, 2.0, 250)]);
        (MemberId(member), History::new((1..26).flat_map(|w| [weekly(w), again(w)]).collect()))
    };
    (1..=members).map(of).collect()
}

fn kinds(screened: &Screened) -> Vec<(Kind, u64, Option<i64>)> {
    screened.findings.iter().map(|f| (f.kind, f.count, f.member.map(|m| m.0))).collect()
}

#[test]
fn a_clean_store_is_left_as_it_is() {
    let screened = screen(regulars(20), now());
    assert_eq!(screened, Screened { histories: regulars(20), findings: Vec::new() });
}

#[test]
fn a_till_of_fifty_thousand_receipts_is_told_among_a_thousand_members() {
    let mut all = regulars(1000);
    let sold = |n: i64| basket(n * 500, vec![line(n % 40, 1.0, 100)]);
    all.insert(MemberId(5000), History::new((0..50_000).map(sold).collect()));
    let screened = screen(all, now());
    assert_eq!(screened.histories, regulars(1000));
    assert_eq!(kinds(&screened), [(Kind::Till, 50_000, Some(5000))]);
}

#[test]
fn a_till_is_told_where_there_is_hardly_a_member_beside_it() {
    for members in [0, 1, 2] {
        let mut all = regulars(members);
        let sold = |n: i64| basket(n * 1000, vec![line(n % 40, 1.0, 100)]);
        all.insert(MemberId(5000), History::new((0..5_000).map(sold).collect()));
        assert_eq!(screen(all, now()).histories.len(), members as usize);
    }
}

#[test]
fn the_keenest_regular_of_a_small_shop_is_no_till() {
    let mut all = regulars(3);
    // Two years, three coffees every day.
    let coffee = |n: i64| basket(n * DAY / 3, vec![line(1, 1.0, 300)]);
    all.insert(MemberId(50), History::new((0..2190).map(coffee).collect()));
    // A restaurant that buys a hundred things twice a week.
    let cart = |n: i64| basket(n * 3 * DAY, (0..100).map(|p| line(p, 12.0, 80)).collect());
    all.insert(MemberId(51), History::new((0..100).map(cart).collect()));
    assert_eq!(screen(all.clone(), now()).histories, all);
}

#[test]
fn receipts_of_the_future_and_of_before_are_left_out() {
    let mut all = regulars(5);
    let strange = [basket(-3 * DAY, vec![line(1, 1.0, 1)]), basket(-40_000 * DAY, vec![line(1, 1.0, 1)])];
    let tolerated = basket(-DAY / 2, vec![line(1, 1.0, 1)]);
    let old = Basket { at: Timestamp::from_second(0).unwrap(), lines: vec![line(1, 1.0, 1)] };
    let kept = all[&MemberId(2)].baskets.clone();
    let with = kept.iter().cloned().chain(strange).chain([tolerated.clone(), old]).collect();
    all.insert(MemberId(2), History::new(with));
    let screened = screen(all, now());
    assert_eq!(kinds(&screened), [(Kind::Future, 2, Some(2)), (Kind::TooEarly, 1, Some(2))]);
    let left: Vec<Basket> = kept.into_iter().chain([tolerated]).collect();
    assert_eq!(screened.histories[&MemberId(2)], History::new(left));
}

#[test]
fn the_same_sale_under_another_number_counts_once() {
    let mut all = regulars(5);
    let clean = all[&MemberId(3)].clone();
    let twice = clean.baskets.iter().take(4).cloned().map(|mut b| {
        b.lines.reverse();
        b
    });
    let doubled = History::new(clean.baskets.iter().cloned().chain(twice).collect());
    all.insert(MemberId(3), doubled);
    let screened = screen(all, now());
    assert_eq!(screened.histories[&MemberId(3)], clean);
    assert_eq!(kinds(&screened), [(Kind::Double, 4, Some(3))]);
}

#[test]
fn what_was_given_away_is_not_learned_where_prices_are_told() {
    let mut all = regulars(5);
    all.get_mut(&MemberId(1)).unwrap().baskets[3].lines.push(line(77, 1.0, 0));
    all.get_mut(&MemberId(4)).unwrap().baskets[0].lines = vec![line(78, 1.0, 0), line(79, 1.0, 0)];
    let screened = screen(all, now());
    assert_eq!(kinds(&screened), [(Kind::NoPrice, 3, Some(4))]);
    assert_eq!(screened.findings[0].members, 2);
    assert_eq!(screened.findings[0].product, Some(ProductId(78)));
    assert_eq!(screened.histories[&MemberId(4)].baskets.len(), 49);
}

#[test]
fn a_store_that_tells_no_prices_loses_nothing() {
    let mut all = regulars(5);
    let lines = all.values_mut().flat_map(|h| &mut h.baskets).flat_map(|b| &mut b.lines);
    lines.for_each(|l| l.unit_price = 0);
    let screened = screen(all.clone(), now());
    assert_eq!(screened.histories, all);
    assert_eq!(kinds(&screened), [(Kind::PricesUntold, 250, Some(1))]);
}

#[test]
fn a_barcode_typed_as_a_quantity_is_left_out() {
    let mut all = regulars(5);
    all.get_mut(&MemberId(1)).unwrap().baskets[3].lines.push(line(77, 40_123_455.0, 100));
    let screened = screen(all, now());
    assert_eq!(kinds(&screened), [(Kind::Quantity, 1, Some(1))]);
    assert_eq!(screened.findings[0].quantity, Some(40_123_455.0));
    assert_eq!(screened.histories, regulars(5));
}

#[test]
fn a_fortnight_without_receipts_is_told_and_sundays_are_not() {
    let mut all = BTreeMap::new();
    for member in 0..3 {
        let open = |d: &i64| d % 7 != 0 && !(100..114).contains(d);
        let day = |d: i64| basket(d * DAY, vec![line(1, 1.0, 100)]);
        all.insert(MemberId(member), History::new((0..300).filter(open).map(day).collect()));
    }
    let screened = screen(all, now());
    let told: Vec<(Kind, u64)> = screened.findings.iter().map(|f| (f.kind, f.count)).collect();
    assert_eq!(told, [(Kind::Gap, 14)]);
    assert_eq!(screened.findings[0].at.as_second().div_euclid(DAY), NOW / DAY - 113);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_what_remains_is_whole_and_what_does_not_is_told(
        raw in proptest::collection::vec(
            (0i64..6, -3i64..40_000, 0i64..4, prop_oneof![Just(1.0), Just(1e6), Just(f64::NAN)], 0i64..2), 0..120),
    ) {
        let mut all: BTreeMap<MemberId, Vec<Basket>> = BTreeMap::new();
        for (member, ago, product, quantity, price) in raw {
            all.entry(MemberId(member)).or_default().push(basket(ago * DAY / 2, vec![line(product, quantity, price)]));
        }
        let before: usize = all.values().map(Vec::len).sum();
        let once = screen(all.into_iter().map(|(m, b)| (m, History::new(b))).collect(), now());
        let left: usize = once.histories.values().map(|h| h.baskets.len()).sum();
        prop_assert!(once.findings.iter().filter(|f| f.kind.left_out()).map(|f| f.count).sum::<u64>() >= (before - left) as u64);
        for history in once.histories.values() {
            prop_assert!(!history.baskets.is_empty());
            prop_assert!(history.baskets.is_sorted_by_key(|b| b.at));
            prop_assert!(history.baskets.iter().all(|b| !b.lines.is_empty()));
        }
    }
}
