//! `shopguide models` beside the running service: listed, added after a trial, at work at a reload, put
//! back; what is no good is refused and changes nothing.

mod harness;

use harness::{Shop, printed};
use std::path::{Path, PathBuf};

const SHOP: &str = "[[display]]\nid = \"tea\"\nzone = \"tea\"\n[[camera]]\nid = \"kiosk\"\nzone = \"tea\"\nsource = \"browser\"\n";

/// Our own embedder under another version, as a licensed one would come: a card and a network.
fn another(folder: &Path, version: &str) -> PathBuf {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::copy(models.join("embedder.onnx"), folder.join("embedder.onnx")).unwrap();
    let text = std::fs::read_to_string(models.join("embedder.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("version")).unwrap();
    let card = folder.join("licensed.toml");
    std::fs::write(&card, text.replacen(line, &format!("version = {version:?}"), 1)).unwrap();
    card
}

/// What is at work, as `models list` says: task and model.
fn at_work(shop: &Shop) -> Vec<(String, String)> {
    let said = shop.command(&["models", "list", "--json"]);
    assert!(said.status.success(), "{}", printed(&said));
    let lines: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let word = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap().to_owned();
    let at_work = lines.as_array().unwrap().iter().filter(|line| line["at_work"] == true);
    at_work.map(|line| (word(line, "task"), word(line, "model"))).collect()
}

#[test]
fn a_model_is_added_put_to_work_by_a_reload_and_put_back() {
    let shop = Shop::new(SHOP);
    let daemon = shop.run();
    let inside = at_work(&shop);
    assert_eq!(
        inside.iter().map(|(task, _)| task.as_str()).collect::<Vec<_>>(),
        ["detect", "refine", "embed"]
    );
    let own = inside[2].1.clone();
    daemon.until("model", "embedder", "well", &own);

    let card = another(&shop.folder.path().join("stick"), "99");
    let said = shop.command(&["models", "add", card.to_str().unwrap()]);
    assert!(
        said.status.success() && printed(&said).contains("systemctl reload shopguide"),
        "{}",
        printed(&said)
    );
    // The stick may go: a copy is at work.
    std::fs::remove_dir_all(shop.folder.path().join("stick")).unwrap();
    let added = at_work(&shop)[2].1.clone();
    assert!(added.ends_with("/99"), "{added}");
    daemon.until("model", "embedder", "well", &own);
    daemon.signal("HUP");
    daemon.until("model", "embedder", "well", &added);

    // A damaged one is refused, and nothing changes.
    let bad = another(&shop.folder.path().join("bad"), "100");
    let network = bad.with_file_name("embedder.onnx");
    let bytes = std::fs::read(&network).unwrap();
    std::fs::write(&network, &bytes[..bytes.len() / 2]).unwrap();
    let said = shop.command(&["models", "add", bad.to_str().unwrap()]);
    assert!(!said.status.success() && printed(&said).contains("is refused: sha256"), "{}", printed(&said));
    assert_eq!(at_work(&shop)[2].1, added);

    let said = shop.command(&["models", "rollback", "embed"]);
    assert!(printed(&said).contains("the one inside the program"), "{}", printed(&said));
    assert_eq!(at_work(&shop), inside);
    daemon.signal("HUP");
    daemon.until("model", "embedder", "well", &own);
    let said = shop.command(&["models", "rollback", "embed"]);
    assert!(!said.status.success() && printed(&said).contains("Nothing was changed"), "{}", printed(&said));
    let said = shop.command(&["check"]);
    assert!(
        printed(&said).contains("2 audit entries") && printed(&said).contains("all is well"),
        "{}",
        printed(&said)
    );
}

#[test]
fn what_the_configuration_names_goes_first_and_add_says_so() {
    let shop = Shop::bare();
    let card = another(shop.folder.path(), "98");
    let web = shop.web;
    shop.configure(&format!(
        "{SHOP}[broker]\nlisten = \"127.0.0.1:{}\"\n[web]\nlisten = \"127.0.0.1:{web}\"\n[vision]\nembedder = {card:?}\n",
        shop.mqtt
    ));
    assert!(at_work(&shop)[2].1.ends_with("/98"));
    let said = shop.command(&["models", "add", card.to_str().unwrap()]);
    assert!(!said.status.success() && printed(&said).contains("[vision] embedder"), "{}", printed(&said));
    let text = printed(&shop.command(&["models", "list"]));
    assert!(text.contains("configuration") && text.contains("inside"), "{text}");
}
