//! Whether the service could listen where it is told to, asked while it does not run.

use super::Finding;
use crate::ops::settings::Settings;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let mut places = vec![("[web] listen", settings.web.listen)];
    if let Some(broker) = &settings.broker {
        places.push(("[broker] listen", broker.listen));
        places.extend(broker.tls.as_ref().map(|(address, ..)| ("[broker.tls] listen", *address)));
        places.extend(broker.websocket.map(|address| ("[broker] websocket", address)));
    }
    places.into_iter().filter_map(|(key, address)| port(key, address)).collect()
}

fn port(key: &str, address: SocketAddr) -> Option<Finding> {
    let error = TcpListener::bind(address).err()?;
    let subject = format!("port {}", address.port());
    let found = match error.kind() {
        ErrorKind::AddrInUse => {
            Finding::failed("port-taken", subject, format!("{address} ({key}) is taken by another program"))
                .remedy(format!(
                    "ss -ltnp 'sport = :{}' shows which; end it, or choose another port",
                    address.port()
                ))
        }
        ErrorKind::AddrNotAvailable => Finding::failed(
            "address-not-here",
            subject,
            format!("{address} ({key}) is no address of this machine"),
        )
        .remedy("ip address shows those it has; 0.0.0.0 means all of them"),
        ErrorKind::PermissionDenied => Finding::failed(
            "port-privileged",
            subject,
            format!("{address} ({key}): this user may not listen there"),
        )
        .remedy("choose a port from 1024 on"),
        _ => Finding::failed("port-taken", subject, format!("{address} ({key}): {error}"))
            .remedy("choose another"),
    };
    Some(found.means("the service does not start"))
}
