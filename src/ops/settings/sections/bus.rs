//! `[mqtt]`: the broker that the daemon speaks to. Without a host that is the embedded one.

use super::broker::warn_of_open_key;
use crate::broker::settings::BrokerSettings;
use crate::id::StoreId;
use crate::ops::settings::files::pem_file;
use crate::ops::settings::finding::Finding;
use crate::ops::settings::reachable;
use crate::ops::settings::secret;
use crate::ops::settings::shape::{Refusal, Shape, flag, length_of_time, parsed, text, whole};
use crate::ops::settings::table::Table;
use crate::publish::settings::{BusSettings, TlsSettings};
use std::net::IpAddr;
use std::time::Duration;

/// `Some(None)` when the bus is turned off; `None` only after an error was reported.
pub(super) fn read(
    table: &Table<'_, '_>,
    broker: Option<&BrokerSettings>,
    store: Option<&StoreId>,
) -> Option<Option<BusSettings>> {
    let enabled = table.or("enabled", &flag(), true);
    let host = table.optional("host", &host());
    let port = table.optional("port", &whole(1..=65_535, "a port"));
    let user = table.optional("user", &text("a user name"));
    let password = secret::read(table, &secret::PASSWORD);
    let client_id = table.optional("client_id", &client_id());
    let keep_alive = length_of_time(Duration::from_secs(1)..=Duration::from_secs(600));
    let keep_alive = table.or("keep_alive", &keep_alive, Duration::from_secs(5));
    let personal_for = length_of_time(Duration::from_secs(1)..=Duration::from_secs(600));
    let personal_for = table.or("personal_for", &personal_for, Duration::from_secs(20));
    let home_assistant = table.or("home_assistant", &flag(), false);
    let tls_section = table.section("tls");
    let tls = read_tls(&tls_section);
    table.finish();
    if !enabled {
        return Some(None);
    }

    if !table.has("host") {
        let external = "a `host` beside it: without one the embedded broker is used";
        table.only_with("port", external);
        if tls_section.is_present() {
            let finding = Finding::error("does not apply to the embedded broker").expected(external);
            table.report("tls", finding);
        }
    }
    if secret::is_named(table, &secret::PASSWORD) && !table.has("user") {
        table.missing("user", "the user name that the password belongs to");
    }
    let password_in_clear = !tls_section.is_present()
        && secret::is_named(table, &secret::PASSWORD)
        && host.as_deref().is_some_and(|host| !is_this_machine(host));
    if password_in_clear {
        let finding = Finding::warning("the password crosses the network in clear text");
        table.report("host", finding.help("add a section [mqtt.tls]"));
    }
    let (host, port) = match (host, broker) {
        (Some(host), _) => (host, port.unwrap_or(if tls_section.is_present() { 8883 } else { 1883 })),
        (None, _) if table.has("host") => return None,
        (None, Some(broker)) => {
            let own = reachable(broker.listen);
            (own.ip().to_string(), own.port())
        }
        (None, None) => {
            let finding = Finding::error("is missing, and the embedded broker is off");
            table.report(
                "host",
                finding
                    .expected("the name or address of a broker")
                    .help("or write `enabled = true` in [broker], or `enabled = false` in [mqtt]")
                    .rests_on_whole(),
            );
            return None;
        }
    };
    let client_id = match (client_id, store) {
        (Some(client_id), _) => client_id,
        (None, Some(store)) => format!("shopguide-{store}"),
        (None, None) => return None,
    };
    if tls.is_none() && tls_section.is_present() {
        return None;
    }
    Some(Some(BusSettings {
        host,
        port,
        tls,
        user,
        password,
        client_id,
        keep_alive,
        personal_for,
        home_assistant,
    }))
}

fn read_tls(table: &Table<'_, '_>) -> Option<TlsSettings> {
    let folder = &table.reader().folder;
    let (certificate, key) = (pem_file(folder, "CERTIFICATE"), pem_file(folder, "PRIVATE KEY"));
    let ca = if table.is_present() {
        table.required("ca", &certificate)
    } else {
        table.optional("ca", &certificate)
    };
    let client_certificate = table.optional("client_certificate", &certificate);
    let client_key = table.optional("client_key", &key);
    for (one, other) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
        if table.has(one) && !table.has(other) {
            table.missing(other, &format!("it beside {one}"));
        }
    }
    table.finish();
    warn_of_open_key(table, "client_key", client_key.as_deref());
    Some(TlsSettings { ca: ca?, client: client_certificate.zip(client_key) })
}

fn host() -> Shape<'static, String> {
    parsed("the name or address of a broker, e.g. \"broker.lan\" or \"192.0.2.7\"", |text| {
        if text.parse::<IpAddr>().is_ok() {
            return Ok(text.to_owned());
        }
        if let Some((_, rest)) = text.split_once("://") {
            let bare = rest.split(['/', ':']).next().unwrap_or_default();
            let refusal = Refusal::because("is a URL").help("`port` and [mqtt.tls] say the rest");
            return Err(refusal.meant((!bare.is_empty()).then(|| format!("{bare:?}"))));
        }
        if let Some((name, port)) = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
            let refusal =
                Refusal::because("holds a port").meant(Some(format!("{name:?} with `port = {port}`")));
            return Err(refusal);
        }
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if text.len() <= 253 && text.trim_end_matches('.').split('.').all(fits) {
            Ok(text.to_owned())
        } else {
            Err(Refusal::because("is not a host name"))
        }
    })
}

fn client_id() -> Shape<'static, String> {
    parsed("a client id: 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.' in quotes", |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(text.to_owned())
        } else {
            Err(Refusal::because("is not a client id"))
        }
    })
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
