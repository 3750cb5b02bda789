//! SQLite: the one writer, readers, migrations. A call that changes something returns only after
//! the commit is on disk.

pub mod settings;
