//! `[web]`: the pages and the API. Beyond loopback the API asks for a token.

use crate::ops::settings::finding::Finding;
use crate::ops::settings::secret;
use crate::ops::settings::shape::{address, flag};
use crate::ops::settings::table::Table;
use crate::web::settings::WebSettings;
use std::net::{Ipv4Addr, SocketAddr};

/// Shorter tokens can be guessed.
const SHORTEST_TOKEN: usize = 16;

pub(super) fn read(table: &Table<'_, '_>) -> WebSettings {
    let listen = table.or("listen", &address(), SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    let api_token = secret::read(table, &secret::API_TOKEN);
    let live_view = table.or("live_view", &flag(), false);
    table.finish();
    if api_token.as_ref().is_some_and(|token| token.chars().count() < SHORTEST_TOKEN) {
        let key = if table.has("api_token_file") { "api_token_file" } else { "api_token_credential" };
        let finding = Finding::error("the token is too short");
        table.report(
            key,
            finding
                .expected(format!("a token of at least {SHORTEST_TOKEN} characters"))
                .help("make one with: openssl rand -hex 32"),
        );
    }
    if !listen.ip().is_loopback() {
        if !secret::is_named(table, &secret::API_TOKEN) {
            let finding =
                Finding::error(format!("{listen} can be reached from the network, and the API has no token"));
            table.report(
                "listen",
                finding
                    .expected("an address of this machine only, such as \"127.0.0.1:8080\"")
                    .help("or name a file that holds a token with `api_token_file = ...`"),
            );
        }
        if live_view {
            let finding = Finding::warning("anybody who reaches the pages can watch the cameras");
            table.report("live_view", finding.help("turn it off once the cameras are set up"));
        }
    }
    WebSettings { listen, api_token, live_view }
}
