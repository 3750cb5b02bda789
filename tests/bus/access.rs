//! Passwords, topic rules, TLS and client certificates.

use crate::peers::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
use shopguide::broker::{Broker, BrokerError};
use shopguide::publish::settings::TlsSettings;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An authority, a server's certificate for 127.0.0.1 and a client's, as PEM files.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Certificates {
        let folder = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        authority.distinguished_name.push(DnType::CommonName, "an authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", &authority.pem());
        for (name, names, usage) in [
            ("server", vec!["127.0.0.1".to_owned()], ExtendedKeyUsagePurpose::ServerAuth),
            ("client", vec!["shopguide".to_owned()], ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let mut params = CertificateParams::new(names).unwrap();
            params.extended_key_usages = vec![usage];
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            write(&format!("{name}.pem"), &params.signed_by(&key, &authority).unwrap().pem());
            write(&format!("{name}.key"), &key.serialize_pem());
        }
        Certificates { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn client(&self, own: bool) -> TlsSettings {
        let client = own.then(|| (self.path("client.pem"), self.path("client.key")));
        TlsSettings { ca: self.path("ca.pem"), client }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_a_client_certificate_reaches_a_broker_that_demands_one() {
    let certificates = Certificates::make();
    let file = |name: &str| certificates.path(name).display().to_string();
    let Some(broker) = Mosquitto::start(&format!(
        "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true",
        file("ca.pem"),
        file("server.pem"),
        file("server.key")
    ))
    .await
    else {
        return;
    };
    let mut settings = bus_settings(broker.port);
    settings.tls = Some(certificates.client(true));
    let daemon = Daemon::start(settings.clone()).connected().await;
    daemon.show(&tea(), false, Duration::from_secs(60));
    until("it publishes", || (daemon.bus.health().published >= 2).then_some(())).await;
    assert!(daemon.bus.health().broker.starts_with("mqtts://"));
    daemon.bus.stop().await;

    settings.tls = Some(certificates.client(false));
    let without = Daemon::start(settings.clone());
    let error = until("it is refused without one", || without.bus.health().last_error).await;
    assert!(error.contains("refused our certificate") && error.contains("[mqtt] certificate"), "{error}");
    assert!(without.bus.health().connected_since.is_none());

    let others = Certificates::make();
    settings.tls = Some(others.client(true));
    let stranger = Daemon::start(settings);
    let error = until("a broker of another authority is refused", || stranger.bus.health().last_error).await;
    assert!(error.contains("TLS with") && error.contains("[mqtt] ca"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_brokers_tls_front_serves_the_bus() {
    let certificates = Certificates::make();
    let mut settings = embedded_settings(0);
    let any = "127.0.0.1:0".parse().unwrap();
    settings.tls = Some((any, certificates.path("server.pem"), certificates.path("server.key")));
    let broker = Broker::start(&settings, None).await.unwrap();
    let mut bus = bus_settings(broker.tls_address().unwrap().port());
    bus.tls = Some(certificates.client(false));
    let daemon = Daemon::start(bus).connected().await;
    daemon.show(&tea(), false, Duration::from_secs(60));
    until("it publishes", || (daemon.bus.health().published >= 2).then_some(())).await;

    settings.tls = Some((any, certificates.path("server.pem"), certificates.path("client.key")));
    let error = Broker::start(&settings, None).await.err().unwrap().to_string();
    assert!(error.contains("client.key") && error.contains("does it belong to"), "{error}");
}

fn users_file(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("users");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_clearly_and_not_hammered() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = embedded_settings(0);
    settings.users = Some(users_file(folder.path(), "daemon:right\n"));
    let broker = Broker::start(&settings, None).await.unwrap();
    let mut ports = vec![broker.address().port()];

    let passwords = folder.path().join("mosquitto-passwords");
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-c", "-b"])
        .arg(&passwords)
        .args(["daemon", "right"])
        .status();
    let mosquitto = match made {
        Ok(status) if status.success() => {
            Mosquitto::start(&format!("allow_anonymous false\npassword_file {}", passwords.display())).await
        }
        _ => None,
    };
    ports.extend(mosquitto.as_ref().map(|broker| broker.port));
    for port in ports {
        let mut settings = bus_settings(port);
        settings.user = Some("daemon".into());
        settings.password = Some("wrong-secret".into());
        let refused = Daemon::start(settings.clone());
        let error = until("the refusal is said", || refused.bus.health().last_error).await;
        assert!(error.contains("refused the login of user \"daemon\""), "{error}");
        assert!(!serde_json::to_string(&refused.bus.health()).unwrap().contains("wrong-secret"));
        drop(refused);
        settings.password = Some("right".into());
        Daemon::start(settings).connected().await;
    }
}

fn peer(broker: &Broker, user: &str, password: &str, id: &str) -> Peer {
    let mut options = MqttOptions::new(id, "127.0.0.1", broker.address().port());
    options.set_credentials(user, password).set_outgoing_inflight_upper_limit(100);
    Peer::connect(options)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_keeps_everybody_to_their_own_topics() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = embedded_settings(0);
    settings.users = Some(users_file(folder.path(), "display-tea:t\ndisplay-coffee:c\npos:p\n"));
    let broker = Broker::start(&settings, None).await.unwrap();
    let mut own = bus_settings(broker.address().port());
    let (user, password) = broker.own_login().unwrap();
    (own.user, own.password) = (Some(user), Some(password));
    let mut daemon = Daemon::start(own).connected().await;
    let slate = daemon.show(&tea(), false, Duration::from_secs(60));

    let display = peer(&broker, "display-tea", "t", "display-tea");
    for (filter, allowed) in [
        ("shopguide/corner/display/tea/slate", true),
        ("shopguide/corner/display/coffee/slate", false),
        ("shopguide/#", false),
        ("#", false),
        ("shopguide/corner/receipt", false),
        ("$share/x/shopguide/corner/display/tea/slate", false),
    ] {
        display.events.lock().unwrap().clear();
        display.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        let code = display
            .sees("the subscription is answered", |packet| match packet {
                Packet::SubAck(ack) => Some(ack.return_codes[0]),
                _ => None,
            })
            .await;
        assert_eq!(matches!(code, SubscribeReasonCode::Success(_)), allowed, "{filter}: {code:?}");
        if allowed {
            display
                .sees("it sees its slate", |packet| match packet {
                    Packet::Publish(p) => {
                        String::from_utf8_lossy(&p.payload).contains(&slate.id.0).then_some(())
                    }
                    _ => None,
                })
                .await;
        }
    }
    let ack = format!(r#"{{"slate":"{}","kind":"shown"}}"#, slate.id);
    let till = peer(&broker, "pos", "p", "pos-1");
    for (who, topic, allowed) in [
        (&display, "shopguide/corner/display/tea/ack", true),
        (&display, "shopguide/corner/display/coffee/ack", false),
        (&display, "shopguide/corner/display/tea/slate", false),
        (&till, "shopguide/corner/display/tea/ack", false),
        (&till, "shopguide/corner/status", false),
    ] {
        who.events.lock().unwrap().clear();
        who.publish(topic, false, ack.clone()).await;
        let reason = who
            .sees("the message is answered", |packet| match packet {
                Packet::PubAck(ack) => Some(ack.reason),
                _ => None,
            })
            .await;
        assert_eq!(reason != PubAckReason::NotAuthorized, allowed, "{topic}: {reason:?}");
    }
    daemon.deliveries.recv().await.unwrap().done();
    until("one ack arrived", || (daemon.bus.health().received == 1).then_some(())).await;

    // nobody takes over the session of another by using its client id
    let thief = peer(&broker, "pos", "p", "shopguide-corner");
    until("the thief is refused", || {
        thief.events.lock().unwrap().iter().find_map(|e| e.as_ref().err().cloned())
    })
    .await;
    assert_eq!(daemon.bus.health().reconnects, 0);

    // a changed file counts after a reload, a broken one changes nothing
    users_file(folder.path(), "nobody\n");
    assert!(matches!(broker.reload(), Err(BrokerError::Users { .. })));
    users_file(folder.path(), "display-coffee:new\n");
    broker.reload().unwrap();
    let coffee = peer(&broker, "display-coffee", "new", "display-coffee");
    coffee.sees("the new password works", |p| matches!(p, Packet::ConnAck(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_open_to_the_network_or_on_a_taken_port_does_not_start() {
    let mut settings = embedded_settings(0);
    settings.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(Broker::start(&settings, None).await, Err(BrokerError::Open(_))));
    settings = embedded_settings(0);
    settings.websocket = Some("0.0.0.0:0".parse().unwrap());
    assert!(matches!(Broker::start(&settings, None).await, Err(BrokerError::Open(_))));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = embedded_settings(taken.local_addr().unwrap().port());
    let error = Broker::start(&settings, None).await.err().unwrap().to_string();
    assert!(error.contains("[broker] listen") && error.contains("another program has this port"), "{error}");
}
