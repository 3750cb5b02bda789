//! `[broker]`: the embedded MQTT broker. Without logins it listens on loopback only.

use crate::broker::settings::BrokerSettings;
use crate::ops::settings::files::{is_world_readable, pem_file, readable_file};
use crate::ops::settings::finding::Finding;
use crate::ops::settings::shape::{address, flag, whole};
use crate::ops::settings::table::Table;
use std::net::{Ipv4Addr, SocketAddr};

/// `on_by_default`: whether it runs when the configuration does not say.
pub(super) fn read(table: &Table<'_, '_>, on_by_default: bool) -> Option<BrokerSettings> {
    let folder = &table.reader().folder;
    let enabled = table.or("enabled", &flag(), on_by_default);
    let listen = table.or("listen", &address(), SocketAddr::from((Ipv4Addr::LOCALHOST, 1883)));
    let websocket = table.optional("websocket", &address());
    let users = table.optional("users", &readable_file(folder, "a file of user:password lines"));
    let max_clients = table.or("max_clients", &whole(1..=100_000, "clients"), 512);
    let max_packet = table.or("max_packet", &whole(1024..=16_777_216, "bytes"), 262_144);
    let max_retained = table.or("max_retained", &whole(10..=1_000_000, "messages"), 10_000);
    let tls_section = table.section("tls");
    let tls = read_tls(&tls_section);
    table.finish();

    if table.is_present() && !enabled && !table.has("enabled") {
        let finding =
            Finding::warning("has no effect: the embedded broker is off because [mqtt] names a host");
        table.report("enabled", finding.help("write `enabled = true` to run it all the same"));
    }
    if !enabled {
        return None;
    }
    if let Some(users) = users.as_ref().filter(|users| is_world_readable(users)) {
        let finding = Finding::warning("every user of this machine may read the passwords");
        table.report("users", finding.help(format!("chmod o-rwx {}", users.display())));
    }
    if !table.has("users") {
        let open = |table: &Table<'_, '_>, key, address: SocketAddr| {
            if !address.ip().is_loopback() {
                let finding =
                    Finding::error(format!("{address} lets anybody on the network connect without login"));
                table.report(
                    key,
                    finding
                        .expected("an address of this machine only, such as \"127.0.0.1:1883\"")
                        .help("or name a file of user:password lines with `users = ...` in [broker]"),
                );
            }
        };
        open(table, "listen", listen);
        if let Some(address) = websocket {
            open(table, "websocket", address);
        }
        if let Some((address, ..)) = tls {
            open(&tls_section, "listen", address);
        }
    }
    Some(BrokerSettings { listen, tls, websocket, users, max_clients, max_packet, max_retained })
}

fn read_tls(table: &Table<'_, '_>) -> Option<(SocketAddr, std::path::PathBuf, std::path::PathBuf)> {
    let folder = &table.reader().folder;
    let address = address();
    let (certificate, key) = (pem_file(folder, "CERTIFICATE"), pem_file(folder, "PRIVATE KEY"));
    let given = if table.is_present() {
        (
            table.required("listen", &address),
            table.required("certificate", &certificate),
            table.required("key", &key),
        )
    } else {
        (
            table.optional("listen", &address),
            table.optional("certificate", &certificate),
            table.optional("key", &key),
        )
    };
    table.finish();
    warn_of_open_key(table, "key", given.2.as_deref());
    Some((given.0?, given.1?, given.2?))
}

/// A private key that everybody may read is worth a word.
pub(super) fn warn_of_open_key(table: &Table<'_, '_>, name: &str, path: Option<&std::path::Path>) {
    if let Some(path) = path.filter(|path| is_world_readable(path)) {
        let finding = Finding::warning("every user of this machine may read the private key");
        table.report(name, finding.help(format!("chmod o-rwx {}", path.display())));
    }
}
