//! A password from whoever sits at the terminal, or from a pipe.

use std::io::{IsTerminal as _, stdin};
use std::path::Path;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::{ExposeSecret as _, SecretString};

use super::CliError;
use crate::authn::{BreachedPasswords, Password, Passwords, UnfitPassword};

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

/// One that attackers know is none, if there is a list of these.
pub(super) async fn refuse_breached(
    list: Option<Arc<Path>>,
    password: &Password,
) -> Result<(), CliError> {
    let Some(list) = list else {
        return Ok(());
    };
    match BreachedPasswords::new(list).contain(password).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(CliError::Failed(UnfitPassword::Breached.to_string())),
        Err(error) => Err(CliError::Failed(format!("`breached_passwords`: {error}"))),
    }
}

pub(super) async fn hash(password: &Password) -> Result<String, CliError> {
    let (passwords, mut rng) = (Passwords::new(1), StdRng::from_os_rng());
    let hashed = passwords.hash(password.clone(), &mut rng).await;
    hashed.map_err(|error| CliError::Failed(error.to_string()))
}
