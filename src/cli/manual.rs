//! `shopguide manual`: man pages and shell completions, made from the same description of the command
//! line that reads the arguments, so that they cannot say anything else.

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// The arguments of `shopguide manual`.
#[derive(Debug, Args)]
pub struct ManualArgs {
    /// The folder to write into.
    folder: PathBuf,
}

/// What every page ends with.
const FILES: &str = "/etc/shopguide/shopguide.toml (every key is explained in it), /var/lib/shopguide (the data), \
                     /var/backups/shopguide (backups), /usr/share/doc/shopguide/TROUBLESHOOTING.md (every warning)";

/// Writes `man1/*.1` and `completions/*`.
pub fn run(args: &ManualArgs, command: Command) -> anyhow::Result<()> {
    let command = command.disable_help_subcommand(true);
    let pages = args.folder.join("man1");
    let completions = args.folder.join("completions");
    for folder in [&pages, &completions] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    page(&pages, &command, "shopguide")?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut command = command.clone();
        clap_complete::generate_to(shell, &mut command, "shopguide", &completions)
            .with_context(|| format!("cannot write into {}", completions.display()))?;
    }
    Ok(())
}

/// The page of a command, and those of its subcommands.
fn page(folder: &Path, command: &Command, name: &str) -> anyhow::Result<()> {
    let mut text = Vec::new();
    // A man page's name is a `&'static str` to clap; the program ends right after this.
    let leaked: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let man = clap_mangen::Man::new(command.clone().name(leaked).bin_name(name.replace('-', " ")));
    man.render(&mut text)?;
    text.extend_from_slice(format!(".SH FILES\n{FILES}\n").as_bytes());
    let file = folder.join(format!("{name}.1"));
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        page(folder, inner, &format!("{name}-{}", inner.get_name()))?;
    }
    Ok(())
}
