//! Links by which people give themselves a password.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::CliError;
use super::output::moment;
use super::session::Session;
use crate::control::{Mailer, letter};
use crate::domain::{Email, LinkPurpose, LinkToken};
use crate::store::NewLink;

/// Makes a link and sends it, or, without mail or if that is wanted, prints it, this once.
pub(super) async fn make(
    session: &mut Session,
    to: &Email,
    purpose: LinkPurpose,
    print: bool,
) -> Result<(), CliError> {
    let (site, mail) = match session.settings()?.sign_in {
        Some(sign_in) => (sign_in.public_url, sign_in.mail.filter(|_| !print)),
        None => (None, None),
    };
    let mailer = mail.as_ref().map(Mailer::new).transpose();
    let mailer = mailer.map_err(CliError::failed)?;
    let site = site.ok_or_else(|| {
        let what = "where people find this site is not said: give the configuration \
                    `sign_in: { public_url: https://… }`";
        CliError::Failed(what.to_owned())
    })?;
    let pepper = session.db.pepper().await?;
    let token = LinkToken::generate(&mut StdRng::from_os_rng());
    let new = NewLink {
        id: token.id(),
        secret_hash: pepper.hash(token.secret()),
        purpose,
    };
    let (db, author) = (&session.db, &mut session.author);
    let expires = db.make_link(author, to, &new).await?;
    if let Some(mailer) = mailer {
        let letter = letter(to, &site, &token, purpose);
        let sent = mailer.send(&letter).await;
        sent.map_err(|error| CliError::Failed(format!("{error}; `--print` prints the link")))?;
        let done = json!({ "email": to.as_str(), "expires_at": expires });
        return Ok(session
            .output
            .done(&done, &format!("sent a link to {to}"))?);
    }
    let token = token.reveal();
    let link = format!(
        "{site}.portcullis/set-password?token={}",
        token.expose_secret()
    );
    let done = json!({ "email": to.as_str(), "link": link, "expires_at": expires });
    let until = moment(Some(expires));
    eprintln!("for {to}, once, until {until}; whoever has it can sign in as them:");
    Ok(session.output.done(&done, &link)?)
}
