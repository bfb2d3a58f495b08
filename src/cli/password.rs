//! A password from whoever sits at the terminal, or from a pipe.

use std::io::{IsTerminal as _, stdin};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::{ExposeSecret as _, SecretString};

use super::CliError;
use crate::authn::{Password, Passwords};

/// Asks for it, without showing it.
pub(super) fn ask() -> Result<Password, CliError> {
    let typed = if stdin().is_terminal() {
        let once: SecretString = rpassword::prompt_password("Password: ")?.into();
        let again: SecretString = rpassword::prompt_password("Once more: ")?.into();
        if once.expose_secret() != again.expose_secret() {
            return Err(CliError::Failed("the two are not the same".to_owned()));
        }
        once
    } else {
        let mut line = String::new();
        stdin().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned().into()
    };
    Password::parse(&typed).map_err(|error| CliError::Failed(error.to_string()))
}

pub(super) async fn hash(password: &Password) -> Result<String, CliError> {
    let (passwords, mut rng) = (Passwords::new(1), StdRng::from_os_rng());
    let hashed = passwords.hash(password.clone(), &mut rng).await;
    hashed.map_err(|error| CliError::Failed(error.to_string()))
}
