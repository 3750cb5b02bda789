//! Takes a camera's secrets out of a text before it is logged or shown. Libraries and ffmpeg
//! like to repeat the whole URL in their errors.

use crate::camera::settings::Url;

/// Knows one camera's secrets.
#[derive(Clone)]
pub(crate) struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// For `url`: its user information, password and query, as written and percent-decoded.
    pub(crate) fn new(url: &Url) -> Self {
        let text = url.secret();
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let mut secrets = Vec::new();
        let mut place = rest;
        if let Some((user_information, after)) = rest.rsplit_once('@') {
            place = after;
            secrets.extend([text.to_owned(), user_information.to_owned()]);
            secrets.extend(user_information.split_once(':').map(|(_, password)| password.to_owned()));
        }
        if let Some((_, query)) = place.split_once('?') {
            secrets.extend([text.to_owned(), query.to_owned()]);
            secrets.extend(query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1.to_owned())));
        }
        Self { secrets }.complete()
    }

    /// Adds what `args` (of ffmpeg) may hold: the values of options named after headers,
    /// cookies, keys, passwords and proxies.
    pub(crate) fn with_args(mut self, args: &[String]) -> Self {
        const NAMES: [&str; 7] = ["header", "cookie", "auth", "pass", "key", "proxy", "token"];
        for pair in args.windows(2) {
            if pair[0].starts_with('-') && NAMES.iter().any(|name| pair[0].contains(name)) {
                self.secrets.push(pair[1].clone());
                self.secrets.extend(pair[1].split_whitespace().map(str::to_owned));
            }
        }
        self.complete()
    }

    fn complete(mut self) -> Self {
        let decoded: Vec<String> =
            self.secrets.iter().map(|s| String::from_utf8_lossy(&percent_decoded(s)).into_owned()).collect();
        self.secrets.extend(decoded);
        self.secrets.retain(|s| s.len() >= 3);
        self.secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        self.secrets.dedup();
        self
    }

    /// `text` on one line with every secret, and whatever stands where a URL has its user and
    /// password, replaced by `***`.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find("://") {
            let (before, after) = rest.split_at(at + 3);
            out.push_str(before);
            let word = after.find(char::is_whitespace).unwrap_or(after.len());
            rest = match after[..word].rfind('@') {
                Some(sign) => {
                    out.push_str("***");
                    &after[sign..]
                }
                None => after,
            };
        }
        out + rest
    }
}

/// The bytes that `text` stands for; a `%` without two hexadecimal digits stays.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = match (byte, bytes.get(at + 1..at + 3)) {
            (b'%', Some(digits)) => {
                std::str::from_utf8(digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok())
            }
            _ => None,
        };
        out.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_form_of_a_secret_survives() {
        let url = Url::new("rtsp://admin:p%40ss/w?rd@10.0.0.7:554/live?token=s3cret&n=1");
        let redactor = Redactor::new(&url);
        for text in [
            "rtsp://admin:p%40ss/w?rd@10.0.0.7:554/live?token=s3cret&n=1: Connection refused",
            "Failed with admin:p@ss/w?rd",
            "bad password p@ss/w?rd for admin",
            "GET /live?token=s3cret&n=1 401",
            "token s3cret expired",
            "other://bob:hunter2@host/x",
        ] {
            let clean = redactor.clean(text);
            for secret in ["ss/w", "s3cret", "hunter2"] {
                assert!(!clean.contains(secret), "{clean}");
            }
            assert!(clean.contains("***"), "{clean}");
        }
        assert_eq!(redactor.clean("10.0.0.7: Connection refused\r\n"), "10.0.0.7: Connection refused");
    }

    #[test]
    fn secrets_among_the_arguments_do_not_survive_either() {
        let args = ["-headers", "Authorization: Bearer abcdef", "-rtsp_transport", "tcp"].map(String::from);
        let clean = Redactor::new(&Url::new("rtsp://host/x")).with_args(&args).clean("sent abcdef over tcp");
        assert_eq!(clean, "sent *** over tcp");
    }

    #[test]
    fn percent_signs_are_decoded_only_where_they_mean_something() {
        assert_eq!(percent_decoded("a%2Fb%4"), b"a/b%4");
        assert_eq!(percent_decoded("100%zz%"), b"100%zz%");
    }

    proptest! {
        #[test]
        fn passwords_never_come_through(password in "[!-~]{3,12}", user in "[a-z]{1,6}", noise in "[ -~]{0,20}") {
            prop_assume!(!"***".contains(&password));
            let url = Url::new(format!("http://{user}:{password}@camera.local/video"));
            let redactor = Redactor::new(&url);
            let text = format!("{noise} cannot open {}: refused", url.secret());
            let clean = redactor.clean(&text);
            // what the text would say with any other password may coincide with this one
            let neutral = redactor.clean("cannot open http://***@camera.local/video: refused");
            prop_assume!(!neutral.contains(&password) && !noise.contains(&password));
            prop_assert!(!clean.contains(&password), "{}", clean);
            prop_assert!(!url.redacted().contains(&password) || "http://***@camera.local/video?***".contains(&password));
        }
    }
}
