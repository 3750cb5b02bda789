//! Models from outside that are bad in every way that a file can be bad, given to the built program as
//! a shop would: by a card in the configuration. Each is refused in words that name the model, the
//! cause and the remedy; the appliance goes on with the last good one, or with its own.

mod harness;

use harness::{Daemon, Shop, eventually};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const KIOSK: &str = "[[display]]\nid = \"tea\"\nzone = \"tea\"\n[[camera]]\nid = \"kiosk\"\nzone = \"tea\"\nsource = \"browser\"\n";

// --- networks, written by hand ------------------------------------------------------------------

/// One field of a protocol buffer: a number, or bytes with their length.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A node of a graph.
fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut all: Vec<u8> = inputs.iter().flat_map(|i| bytes(1, i.as_bytes())).collect();
    all.extend(bytes(2, output.as_bytes()));
    all.extend(bytes(4, operator.as_bytes()));
    all.extend(attributes.iter().flat_map(|a| bytes(5, a)));
    bytes(1, &all)
}

/// An attribute of whole numbers.
fn whole(name: &str, values: &[u64]) -> Vec<u8> {
    let list: Vec<u8> = values.iter().flat_map(|v| number(8, *v)).collect();
    [bytes(1, name.as_bytes()), list, number(20, 7)].concat()
}

/// A constant: of floats, or of 64-bit whole numbers.
fn constant(name: &str, dims: &[u64], kind: u64, raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|d| number(1, *d)).collect();
    bytes(5, &[dims, number(2, kind), bytes(8, name.as_bytes()), bytes(9, raw)].concat())
}

fn floats(name: &str, dims: &[u64]) -> Vec<u8> {
    let count: u64 = dims.iter().product();
    constant(name, dims, 1, &0.001f32.to_le_bytes().repeat(count as usize))
}

/// Name and shape of an input or output.
fn value(field: u64, name: &str, dims: &[u64]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|d| bytes(1, &number(1, *d))).collect();
    let tensor = [number(1, 1), bytes(2, &dims)].concat();
    bytes(field, &[bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat())
}

/// A whole network from `x` of 1 x 3 x side x side.
fn network(side: u64, output: (&str, &[u64]), parts: &[Vec<u8>]) -> Vec<u8> {
    let graph =
        [parts.concat(), bytes(2, b"g"), value(11, "x", &[1, 3, side, side]), value(12, output.0, output.1)];
    [number(1, 8), bytes(7, &graph.concat()), bytes(8, &number(2, 13))].concat()
}

// --- cards --------------------------------------------------------------------------------------

fn hash(network: &[u8]) -> String {
    Sha256::digest(network).iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes a network with a card of its own that is right in all but what the network does; a square
/// of `side` in, one grid of cells of 64 pixels out.
fn given(folder: &Path, side: u64, network: &[u8]) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("bad.onnx"), network).unwrap();
    let card = format!(
        "name = \"bad\"\nversion = \"7\"\ntask = \"detect\"\nfile = \"bad.onnx\"\nsha256 = \"{}\"\n\
         [input]\nname = \"x\"\nshape = [1, 3, {side}, {side}]\ncolour = \"rgb\"\nmean = [0.0, 0.0, 0.0]\n\
         scale = [0.001, 0.001, 0.001]\n[output]\ndecoding = \"grid\"\nnames = [\"y\"]\nstrides = [64]\n",
        hash(network)
    );
    let path = folder.join("card.toml");
    std::fs::write(&path, card).unwrap();
    path
}

/// Copies a model of the program, its network changed by `network` and its card by `card`, after the
/// hash was put right.
fn changed(
    folder: &Path,
    name: &str,
    network: impl FnOnce(Vec<u8>) -> Vec<u8>,
    card: impl FnOnce(String) -> String,
) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let whole = std::fs::read(models.join(format!("{name}.onnx"))).unwrap();
    let text = std::fs::read_to_string(models.join(format!("{name}.toml"))).unwrap();
    let (old, new) = (hash(&whole), network(whole));
    assert!(text.contains(&old), "the card of {name} does not name its file's hash");
    std::fs::write(folder.join(format!("{name}.onnx")), &new).unwrap();
    let path = folder.join("card.toml");
    std::fs::write(&path, card(text.replace(&old, &hash(&new)))).unwrap();
    path
}

fn unchanged<T>(value: T) -> T {
    value
}

// --- the appliance ------------------------------------------------------------------------------

fn shop(key: &str) -> Shop {
    Shop::new(&format!("{KIOSK}[vision]\n{key} = \"other/card.toml\"\n"))
}

fn jpeg() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(320, 240, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
    let mut out = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut out).encode_image(&picture).unwrap();
    out
}

/// Waits until the appliance has looked at one more frame.
fn looks(daemon: &Daemon) {
    const FRAMES: &str = "shopguide_frames_total{camera=\"kiosk\"}";
    let before = daemon.metric(FRAMES);
    eventually("it looks at a frame", || {
        assert_eq!(daemon.post("/api/cameras/kiosk/frame", "image/jpeg", &jpeg()).unwrap().0, 204);
        (daemon.metric(FRAMES) > before).then_some(())
    });
}

/// The appliance must refuse what stands in `other`, in words, once, and work with its own model.
fn refuses(shop: &Shop, words: &[&str]) {
    let daemon = shop.run();
    let says = daemon.until("model", "refused", "limited", "");
    for word in words {
        assert!(says.contains(word), "{word:?} is not in {says}");
    }
    assert!(says.contains("other/card.toml"), "{says}");
    let remedy = daemon.part("model", "refused").unwrap()["remedy"].to_string();
    assert!(remedy.contains("the model inside the program is used"), "{remedy}");
    looks(&daemon);
    let (status, logs) = daemon.stop();
    assert!(status.success());
    assert_eq!(logs.matches("a model was refused").count(), 1, "{logs}");
    let kept = shop.data().join("models/last-good");
    assert!(std::fs::read_dir(kept).map_or(0, Iterator::count) == 0, "something of it was kept");
}

#[test]
fn a_wrong_hash_is_refused() {
    let shop = shop("embedder");
    changed(&shop.folder.path().join("other"), "embedder", unchanged, |card| {
        let end = card.find("sha256 = \"").unwrap() + "sha256 = \"".len();
        let digit = if &card[end..end + 1] == "0" { "1" } else { "0" };
        format!("{}{digit}{}", &card[..end], &card[end + 1..])
    });
    refuses(&shop, &["shopguide-embedder/", "sha256", "copy both again"]);
}

#[test]
fn a_truncated_file_is_refused_even_with_its_hash_in_the_card() {
    let shop = shop("detector");
    let half = |mut network: Vec<u8>| {
        network.truncate(network.len() / 2);
        network
    };
    changed(&shop.folder.path().join("other"), "detector-640", half, unchanged);
    refuses(&shop, &["shopguide-detector/", "not an ONNX network"]);
}

#[test]
fn flipped_bits_are_refused_even_with_their_hash_in_the_card() {
    let shop = shop("detector");
    let flip = |mut network: Vec<u8>| {
        let end = network.len();
        network[end / 2..end / 2 + 4000].iter_mut().for_each(|b| *b ^= 0x40);
        network
    };
    changed(&shop.folder.path().join("other"), "detector-640", flip, unchanged);
    refuses(&shop, &["shopguide-detector/"]);
}

#[test]
fn another_shape_and_another_task_are_refused() {
    let one = shop("detector");
    let wide = |card: String| card.replace("[1, 3, 384, 640]", "[1, 3, 640, 384]");
    changed(&one.folder.path().join("other"), "detector-640", unchanged, wide);
    refuses(&one, &["shape"]);
    let other = shop("detector");
    changed(&other.folder.path().join("other"), "embedder", unchanged, unchanged);
    refuses(&other, &["task is \"embed\"", "expected \"detect\""]);
}

#[test]
fn a_reshape_to_100_gigabytes_is_refused() {
    let shop = shop("detector");
    let target: Vec<u8> = [1u64, 25_000_000_000].iter().flat_map(|d| d.to_le_bytes()).collect();
    let parts = [constant("to", &[2], 7, &target), node("Reshape", &["x", "to"], "y", &[])];
    given(&shop.folder.path().join("other"), 64, &network(64, ("y", &[1, 25_000_000_000]), &parts));
    refuses(&shop, &["bad/7"]);
}

#[test]
fn a_network_that_allocates_without_end_cannot_take_the_appliance_down() {
    // A transposed convolution of 99 x 99 multiplies before it adds up: 493 GB in between, which none
    // of the network's shapes show.
    let shop = shop("detector");
    let parts = [
        floats("w", &[3, 3, 99, 99]),
        floats("v", &[15, 3, 2, 2]),
        node("ConvTranspose", &["x", "w"], "a", &[whole("kernel_shape", &[99, 99]), whole("pads", &[49; 4])]),
        node("Conv", &["a", "v"], "y", &[whole("kernel_shape", &[2, 2]), whole("strides", &[64, 64])]),
    ];
    given(&shop.folder.path().join("other"), 2048, &network(2048, ("y", &[1, 15, 32, 32]), &parts));
    refuses(&shop, &["bad/7", "failed to allocate"]);
}

#[test]
fn a_network_that_runs_on_and_on_is_given_up() {
    let shop = shop("detector");
    let mut parts = vec![floats("v", &[15, 3, 1, 1])];
    // A mean over 61x61 places about each place of a large picture: little memory, a long time.
    parts.push(node("AveragePool", &["x"], "a", &[whole("kernel_shape", &[61; 2])]));
    let strides = [whole("kernel_shape", &[1, 1]), whole("strides", &[64, 64])];
    parts.push(node("Conv", &["a", "v"], "y", &strides));
    given(&shop.folder.path().join("other"), 4096, &network(4096, ("y", &[1, 15, 64, 64]), &parts));
    refuses(&shop, &["bad/7", "longer than"]);
}

#[test]
fn a_good_model_is_kept_and_takes_the_place_of_a_bad_one_at_a_reload_and_at_the_next_start() {
    let shop = shop("embedder");
    let other = shop.folder.path().join("other");
    let named = |card: String| {
        let end = card.find('\n').unwrap();
        format!("name = \"theirs\"{}", &card[end..])
    };
    changed(&other, "embedder", unchanged, named);
    let daemon = shop.run();
    daemon.until("model", "embedder", "well", "theirs/");
    assert_eq!(daemon.part("model", "refused"), None);

    // A copy that went wrong: the daemon keeps at its work, and says so.
    std::fs::write(other.join("embedder.onnx"), b"half a network").unwrap();
    daemon.signal("HUP");
    let says = daemon.until("model", "refused", "limited", "sha256");
    assert!(says.contains("theirs/"), "{says}");
    let remedy = daemon.part("model", "refused").unwrap()["remedy"].to_string();
    assert!(remedy.contains("the last good model theirs/"), "{remedy}");
    daemon.until("model", "embedder", "well", "theirs/");
    looks(&daemon);
    daemon.stop();

    let daemon = shop.run();
    daemon.until("model", "refused", "limited", "sha256");
    daemon.until("model", "embedder", "well", "theirs/");
    looks(&daemon);

    // Put right, it is taken over without a restart.
    changed(&other, "embedder", unchanged, |card| {
        named(card).replace("\nversion = \"", "\nversion = \"new-")
    });
    daemon.signal("HUP");
    daemon.until("model", "embedder", "well", "theirs/new-");
    eventually("the refusal is gone", || daemon.part("model", "refused").is_none().then_some(()));
    looks(&daemon);
}
