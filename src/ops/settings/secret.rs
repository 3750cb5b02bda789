//! Passwords and tokens: from a file of their own or from systemd's credentials, never from the
//! configuration itself.

use super::files;
use super::finding::Finding;
use super::shape::{Refusal, parsed};
use super::table::{Credentials, Table};

/// The keys of one secret.
pub(super) struct SecretKeys {
    /// Refused, in words that name the other two.
    pub(super) inline: &'static str,
    /// A file with the secret on its first line.
    pub(super) file: &'static str,
    /// A systemd credential (`LoadCredential=`).
    pub(super) credential: &'static str,
    /// What it is, e.g. "password".
    pub(super) what: &'static str,
}

/// `password_file` and `password_credential`.
pub(super) const PASSWORD: SecretKeys = SecretKeys {
    inline: "password",
    file: "password_file",
    credential: "password_credential",
    what: "password",
};

/// `api_token_file` and `api_token_credential`.
pub(super) const API_TOKEN: SecretKeys = SecretKeys {
    inline: "api_token",
    file: "api_token_file",
    credential: "api_token_credential",
    what: "token",
};

/// Whether the configuration names the secret, however it turns out.
pub(super) fn is_named(table: &Table<'_, '_>, keys: &SecretKeys) -> bool {
    table.has(keys.file) || table.has(keys.credential)
}

/// The secret; `None` if it is not named or (after reporting it) cannot be had.
pub(super) fn read(table: &Table<'_, '_>, keys: &SecretKeys) -> Option<String> {
    let what = keys.what;
    table.refuse(
        keys.inline,
        &format!("a {what} may not stand in the configuration itself"),
        &format!(
            "put it alone into a file that only the service may read, and write `{} = \"/path/of/file\"`; \
             or let systemd hand it over, and write `{} = \"name\"`",
            keys.file, keys.credential
        ),
    );
    if table.has(keys.file) && table.has(keys.credential) {
        let finding = Finding::error(format!("stands beside {}", keys.file));
        table.report(keys.credential, finding.expected(format!("only one of the two {what}s")));
    }
    let folder = &table.reader().folder;
    if let Some((path, secret)) = table.optional(keys.file, &files::secret_file(folder, what)) {
        if files::is_world_readable(&path) {
            let finding = Finding::warning(format!("every user of this machine may read the {what}"));
            table.report(keys.file, finding.help(format!("chmod o-rwx {}", path.display())));
        }
        return Some(secret);
    }
    let name = table.optional(
        keys.credential,
        &parsed("the name of a systemd credential: letters, digits and '-', '_', '.' in quotes", |text| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if !text.is_empty() && text.len() <= 255 && text.chars().all(fits) && !text.starts_with('.') {
                Ok(text.to_owned())
            } else {
                Err(Refusal::because("is not a credential's name"))
            }
        }),
    )?;
    match &table.reader().credentials {
        Credentials::Folder(folder) => match files::read_secret(&folder.join(&name)) {
            Ok(secret) => return Some(secret),
            Err(refusal) => {
                let problem = refusal.problem.unwrap_or_default();
                let finding = Finding::error(format!("the credential \"{name}\" {problem}"));
                table.report(keys.credential, finding.help(load_credential(&name)));
            }
        },
        Credentials::Absent => {
            let finding = Finding::error("systemd handed over no credentials").help(load_credential(&name));
            table.report(keys.credential, finding);
        }
        Credentials::Unchecked => {
            let finding = Finding::warning("not checked: systemd hands credentials to the service only");
            table.report(keys.credential, finding);
        }
    }
    None
}

fn load_credential(name: &str) -> String {
    format!("the service needs a line `LoadCredential={name}:/path/of/file` in its unit")
}
