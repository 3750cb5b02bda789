//! Which store a command works on: the folder itself, or the one that the configuration names.

use crate::ops::settings::Settings;
use crate::storage::Store;
use crate::storage::settings::StorageSettings;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// `--db` and `--config`, shared by all commands that open the store.
#[derive(Debug, Clone, clap::Args)]
pub struct StoreArgs {
    /// The folder of the store's data
    #[arg(long, value_name = "FOLDER", conflicts_with = "config", global = true)]
    pub db: Option<PathBuf>,
    /// The configuration file that names it
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

/// Where the store is, and the configuration if there is one.
#[derive(Debug, Clone)]
pub struct Place {
    /// The store.
    pub storage: StorageSettings,
    /// All settings, if a configuration was named.
    pub settings: Option<Settings>,
}

impl StoreArgs {
    /// The same, or the service's own configuration if neither was named.
    pub fn or_default(&self) -> Self {
        let config = match (&self.db, &self.config) {
            (None, None) => Some(super::settings::DEFAULT_CONFIG.into()),
            (_, config) => config.clone(),
        };
        Self { db: self.db.clone(), config }
    }

    /// Finds the store; `load` reads a configuration file.
    pub fn place(&self, load: impl FnOnce(&Path) -> anyhow::Result<Settings>) -> anyhow::Result<Place> {
        match (&self.db, &self.config) {
            (Some(folder), _) => {
                let storage = StorageSettings::of(folder);
                Ok(Place { storage, settings: None })
            }
            (None, Some(file)) => {
                let settings = load(file)?;
                Ok(Place { storage: settings.storage.clone(), settings: Some(settings) })
            }
            (None, None) => {
                bail!("which store? Name its folder with --db, or the configuration with --config")
            }
        }
    }
}

impl Place {
    /// Opens the store, which must exist already.
    pub fn open_existing(&self) -> anyhow::Result<Store> {
        let folder = &self.storage.folder;
        if !folder.join("shop.sqlite").exists() {
            bail!(
                "there is no store in {}: check --db or the configuration's storage.folder",
                folder.display()
            );
        }
        self.open()
    }

    /// Opens the store, making it if there is none.
    pub fn open(&self) -> anyhow::Result<Store> {
        Store::open(&self.storage)
            .with_context(|| format!("cannot open the store in {}", self.storage.folder.display()))
    }
}

/// Who runs the command, for the audit.
pub fn operator() -> String {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    if name.is_empty() { "command line".to_owned() } else { format!("command line, {name}") }
}
