//! What a member declares of themselves, and what they dwell before, through the running program: from a
//! kiosk's requests to the slates, the member's own copy, and nothing left after they are forgotten.

mod harness;

use harness::{Daemon, Shop, eventually, printed};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::time::Duration;

const SHOP: &str = r#"
[recognition]
dwell_after = "500 ms"

[policy]
explore = 0.0
declared = 3.0
viewed = 3.0
per_category = 6
per_brand = 6

[[kiosk]]
id = "front"
zone = "entrance"
items = 6

[[kiosk]]
id = "corner"
zone = "drinks"

[[display]]
id = "shelf"
zone = "drinks"
category = "Drinks"
"#;

const PRODUCTS: &str = "sku,name,category,brand,price,stock,attributes
P-1,Oat Drink,Drinks,Mill,2.29,20,vegan = yes
P-2,Crispbread,Bread,Mill,3.49,12,vegan = yes
P-3,Honey,Breakfast,Hill,6.75,9,vegan = no
P-4,Apple Juice,Drinks,Hill,1.99,7,vegan = yes
P-5,Chocolate,Sweets,Hill,3.19,30,organic = yes
";

/// One shopper at one kiosk.
struct Session<'d> {
    daemon: &'d Daemon,
    kiosk: &'static str,
    id: String,
}

impl<'d> Session<'d> {
    fn begin(daemon: &'d Daemon, kiosk: &'static str) -> Self {
        let mut session = Self { daemon, kiosk, id: String::new() };
        session.id = session.does(json!({"do": "begin"}))["session"].as_str().unwrap().to_owned();
        session
    }

    fn does(&self, mut act: Value) -> Value {
        if !self.id.is_empty() {
            act["session"] = json!(self.id);
        }
        let path = format!("/kiosk/{}/do", self.kiosk);
        let (status, body) =
            self.daemon.post(&path, "application/json", act.to_string().as_bytes()).expect("an answer");
        assert_eq!(status, 200, "{act}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn database(shop: &Shop) -> Connection {
    Connection::open_with_flags(shop.data().join("shop.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Reasons of the newest personal slate of a display, by the product's number.
fn slate(shop: &Shop, display: &str) -> Option<Vec<(String, Value)>> {
    let db = database(shop);
    let mut rows = db
        .prepare(
            "SELECT p.sku, i.reason FROM slate_items i JOIN products p ON p.id = i.product WHERE i.slate = \
             (SELECT id FROM slates WHERE display = ? AND member IS NOT NULL ORDER BY sequence DESC LIMIT 1)",
        )
        .unwrap();
    let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get::<_, String>(1)?));
    let items: Vec<(String, String)> = rows.query_map([display], row).unwrap().map(Result::unwrap).collect();
    let read = |(sku, reason): (String, String)| (sku, serde_json::from_str(&reason).unwrap());
    (!items.is_empty()).then(|| items.into_iter().map(read).collect())
}

#[test]
fn what_is_declared_and_dwelt_before_counts_is_told_and_is_forgotten() {
    let shop = Shop::new(SHOP);
    let products = shop.folder.path().join("products.csv");
    std::fs::write(&products, PRODUCTS).unwrap();
    let out = shop.command(&["import", "catalogue", products.to_str().unwrap()]);
    assert!(out.status.success(), "{}", printed(&out));
    let daemon = shop.run();
    // Chocolate is what most buy; of the others popularity is not the better reason.
    for (n, product) in [1, 2, 3, 4, 5, 5, 5, 5, 5].into_iter().enumerate() {
        let lines = json!([{"sku": format!("P-{product}"), "quantity": 1, "price": 2.95}]);
        let at = jiff::Timestamp::now().to_string();
        let receipt = json!({"receipt": format!("r{n}"), "at": at, "member": null, "lines": lines});
        let sent = daemon.post("/api/receipts", "application/json", receipt.to_string().as_bytes());
        assert_eq!(sent.as_ref().map(|s| s.0), Some(200), "{sent:?}");
    }

    let session = Session::begin(&daemon, "front");
    let joined = session.does(json!({"do": "agree", "scope": "card", "language": "en", "old_enough": true}));
    let card = joined["card"].as_str().unwrap().to_owned();

    // What would do nothing in this shop is not offered.
    let offered = session.does(json!({"do": "facts", "language": "en"}));
    let words = |answer: &Value| -> Vec<(String, bool)> {
        let all = answer["offered"].as_array().unwrap().iter();
        all.map(|o| (o["fact"].as_str().unwrap().to_owned(), o["on"].as_bool().unwrap())).collect()
    };
    let names: Vec<String> = words(&offered).into_iter().map(|w| w.0).collect();
    assert!(
        names.contains(&"vegan".to_owned()) && names.contains(&"category:Drinks".to_owned()),
        "{names:?}"
    );
    assert!(!names.contains(&"no-alcohol".to_owned()), "{names:?}");

    // A declaration changes the slate that is up.
    eventually("a slate with everything", || {
        slate(&shop, "front").filter(|s| s.iter().any(|i| i.0 == "P-3"))
    });
    let facts = json!(["vegan", "brand:Mill"]);
    let answer = session.does(json!({"do": "declare", "facts": facts, "language": "en"}));
    assert_eq!(words(&answer).iter().filter(|w| w.1).count(), 2, "{answer}");
    let with_liking = eventually("a slate by what was declared", || {
        slate(&shop, "front").filter(|s| s.iter().all(|i| i.0 != "P-3"))
    });
    for (sku, reason) in with_liking {
        let liked = ["P-1", "P-2"].contains(&sku.as_str());
        assert_eq!(reason["kind"] == "declared", liked, "{sku}: {reason}");
        assert!(!reason.to_string().contains("vegan"), "a diet stood on a screen: {reason}");
    }
    session.does(json!({"do": "declare", "facts": ["vegan"], "language": "en"}));
    session.does(json!({"do": "end"}));

    // A dwell before the drinks, then a slate at the entrance.
    let corner = Session::begin(&daemon, "corner");
    assert_eq!(corner.does(json!({"do": "card", "code": card}))["is"], "carded");
    std::thread::sleep(Duration::from_millis(700));
    corner.does(json!({"do": "end"}));
    let views = || -> i64 {
        database(&shop)
            .query_row("SELECT COUNT(*) FROM views WHERE category = 'Drinks'", [], |r| r.get(0))
            .unwrap()
    };
    eventually("the view is kept", || (views() == 1).then_some(()));
    let front = Session::begin(&daemon, "front");
    front.does(json!({"do": "card", "code": card}));
    eventually("a slate by what was dwelt before", || {
        let kinds = |(sku, reason): &(String, Value)| (sku.clone(), reason["kind"] == "viewed");
        let mut kinds: Vec<(String, bool)> = slate(&shop, "front")?.iter().map(kinds).collect();
        kinds.sort();
        let expected = [("P-1", true), ("P-2", false), ("P-4", true), ("P-5", false)]
            .map(|(sku, v)| (sku.to_owned(), v));
        (kinds == expected).then_some(())
    });

    // The member's own copy has all of it, and so has the administrator's look at them.
    let code = front.does(json!({"do": "export", "origin": "http://127.0.0.1:8080"}));
    let path = code["path"].as_str().unwrap();
    let (status, copy) = daemon.get(path).unwrap();
    let copy: Value = serde_json::from_str(&copy).unwrap();
    assert_eq!(status, 200);
    assert_eq!(copy["declared"], json!(["vegan"]));
    assert_eq!(copy["views"][0]["category"], "Drinks");
    let shown = shop.command(&["members", "show", &card]);
    let shown = printed(&shown);
    assert!(shown.contains("Nothing from animals") && shown.contains("Drinks: 1x"), "{shown}");

    assert_eq!(front.does(json!({"do": "forget"}))["is"], "forgotten");
    assert_eq!(views(), 0);
    let kept: i64 = database(&shop)
        .query_row("SELECT COUNT(*) FROM members WHERE facts IS NOT NULL", [], |r| r.get(0))
        .unwrap();
    assert_eq!(kept, 0);
    let check = shop.command(&["check"]);
    assert!(check.status.success(), "{}", printed(&check));
}
