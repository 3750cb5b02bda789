//! A store that an older version of the program left behind, opened by this one: brought up to date after
//! a copy was kept, nothing in it lost, every seal still opens.
//!
//! `tests/kept/schema-3` was made by version 0.1.0 when its schema was the third: `import catalogue` and
//! `import receipts --members-consented`, and `enrol --name` of a rendered shopper. Its keys are of
//! nobody.

mod harness;

use harness::{Shop, printed};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept/schema-3")
}

fn version(database: &Path) -> i64 {
    rusqlite::Connection::open(database).unwrap().query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap()
}

#[test]
fn a_store_of_an_older_version_is_brought_up_to_date_and_whole() {
    let shop = Shop::new("[[display]]\nid = \"tea\"\nzone = \"tea\"\n");
    std::fs::create_dir(shop.data()).unwrap();
    for file in std::fs::read_dir(kept()).unwrap() {
        let file = file.unwrap();
        let copy = shop.data().join(file.file_name());
        std::fs::copy(file.path(), &copy).unwrap();
        // A checkout makes them readable to all, which the program refuses for keys.
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(version(&kept().join("shop.sqlite")), 3);

    let done = |args: &[&str]| {
        let output = shop.command(args);
        let said = printed(&output);
        assert!(output.status.success(), "{args:?}: {said}");
        said
    };
    let check = done(&["check"]);
    assert!(
        check.contains("3 products, 2 members with 3 templates, 6 receipts") && check.contains("all is well"),
        "{check}"
    );
    let member = done(&["members", "show", "card-1"]);
    assert!(member.contains("Ada Beispiel") && member.contains("templates      3"), "{member}");

    let now = version(&shop.data().join("shop.sqlite"));
    let copies: Vec<i64> =
        (4..=now).filter(|v| shop.data().join(format!("shop.sqlite.before-{v}")).exists()).collect();
    // One copy of what was found, however many steps were taken.
    assert_eq!(copies, if now > 3 { vec![4] } else { vec![] });
    for copy in copies {
        assert_eq!(version(&shop.data().join(format!("shop.sqlite.before-{copy}"))), 3);
    }
    let daemon = shop.run();
    assert_eq!(daemon.part("store", "store").unwrap()["health"], "well");
    assert!(daemon.stop().0.success());
}
