//! The program: picks one subcommand. Everything else lives in the library.

fn main() -> std::process::ExitCode {
    shopguide::cli::main()
}
