//! A camera's URL: checked, and completed with a user and password that are kept elsewhere. A URL
//! may hold a password itself; then nobody else should be able to read the configuration.

use crate::camera::settings::Url;
use crate::ops::settings::files;
use crate::ops::settings::finding::Finding;
use crate::ops::settings::nearest::nearest;
use crate::ops::settings::secret::{self, PASSWORD};
use crate::ops::settings::shape::{Refusal, Shape, parsed, text};
use crate::ops::settings::table::Table;

/// The URL of an MJPEG stream or snapshot.
pub(super) fn http(table: &Table<'_, '_>) -> Option<Url> {
    let url = table.required("url", &http_url());
    with_login(table, url)
}

/// What ffmpeg opens: a URL, or a file. With `-f` among the arguments it is left as it stands,
/// since it may then be a device or a description.
pub(super) fn ffmpeg(table: &Table<'_, '_>, input_args: &[String]) -> Option<Url> {
    let as_it_stands = input_args.iter().any(|arg| arg == "-f");
    let expected = "a URL or a file for ffmpeg, e.g. \"rtsp://192.0.2.7/stream1\"";
    let input = parsed(expected, |text| {
        if text.trim().is_empty() {
            Err(Refusal::because("is empty"))
        } else if text.chars().any(char::is_control) {
            Err(Refusal::because("holds a control character"))
        } else if let Some((scheme, rest)) = text.split_once("://") {
            host_of(scheme, rest).map(|_| text.to_owned())
        } else if as_it_stands || text.contains(':') {
            Ok(text.to_owned())
        } else {
            let path = files::resolve(&table.reader().folder, text)?;
            Ok(path.to_string_lossy().into_owned())
        }
    });
    let input = table.required("url", &input);
    with_login(table, input)
}

fn http_url() -> Shape<'static, String> {
    parsed("an http:// or https:// URL, e.g. \"http://192.0.2.7/video.mjpg\"", |text| {
        let Some((scheme, rest)) = text.split_once("://") else {
            let meant = (!text.is_empty() && !text.contains(' ')).then(|| format!("\"http://{text}\""));
            return Err(Refusal::because("names no http:// or https://").meant(meant));
        };
        match scheme {
            "http" | "https" => host_of(scheme, rest).map(|_| text.to_owned()),
            "rtsp" | "rtsps" | "rtmp" => {
                Err(Refusal::because("is not an http URL").help("rtsp:// is opened with source = \"ffmpeg\""))
            }
            other => {
                let meant = nearest(other, ["http", "https"]).map(|scheme| format!("\"{scheme}://{rest}\""));
                Err(Refusal::because("is not an http URL").meant(meant))
            }
        }
    })
}

/// Checks the part after `://`: a host, perhaps a login before it and a port behind it.
pub(super) fn host_of<'u>(scheme: &str, rest: &'u str) -> Result<&'u str, Refusal> {
    if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Refusal::because("holds a space").help("write %20 for a space in a URL"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !host_and_port.ends_with(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    if host.is_empty() && scheme != "file" {
        return Err(Refusal::because("names no host"));
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        let refusal = Refusal::because("has no valid port behind its host");
        return Err(refusal.help("write %40 for '@', %3A for ':' and %2F for '/' inside a password"));
    }
    Ok(host)
}

/// Puts `user` and the password of `password_file` into the URL.
fn with_login(table: &Table<'_, '_>, url: Option<String>) -> Option<Url> {
    let user = table.optional("user", &text("the camera's user name"));
    let password = secret::read(table, &PASSWORD);
    if secret::is_named(table, &PASSWORD) && !table.has("user") {
        table.missing("user", "the user name that the password belongs to");
    }
    let url = url?;
    let Some((scheme, rest)) = url.split_once("://") else {
        table.only_with("user", "a url with ://");
        return Some(Url::new(url));
    };
    let login_end = rest.split(['/', '?', '#']).next().unwrap_or_default().rfind('@');
    if let Some(end) = login_end {
        table.only_with("user", "a url without a login of its own");
        if rest[..end].contains(':') && table.reader().is_world_readable {
            let finding = Finding::warning(
                "the url holds a password, and every user of this machine may read this file",
            );
            table.report("url", finding.help("chmod o-rwx this file, or use `user` and `password_file`"));
        }
        return Some(Url::new(url));
    }
    let login = match (user, password) {
        (Some(user), Some(password)) => format!("{}:{}@", encode(&user), encode(&password)),
        (Some(user), None) => format!("{}@", encode(&user)),
        _ => String::new(),
    };
    Some(Url::new(format!("{scheme}://{login}{rest}")))
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
