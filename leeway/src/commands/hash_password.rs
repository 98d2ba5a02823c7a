//! `leeway hash-password`: what stands in `dashboards.users` instead of a password.

use std::io::{BufRead, IsTerminal};

use anyhow::Context as _;

/// Asks for a password, or takes the first line of what is piped in, and prints its hash.
///
/// # Errors
/// Where the password is no good, saying why.
pub fn run() -> anyhow::Result<()> {
    let stdin = std::io::stdin();
    let password = if stdin.is_terminal() {
        rpassword::prompt_password("Password: ").context("the password cannot be read")?
    } else {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).context("the password cannot be read")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    println!("{}", dashboards::auth::hash(&password)?);
    Ok(())
}
