//! Mail to people.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::config::{Mail, MailWay, Smtp, SmtpTls};
use crate::domain::Email;

/// How long a server may take for each of its answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It cannot be written down.
    #[error("the mail cannot be made: {0}")]
    Unfit(String),
    /// The server did not take it.
    #[error("{0}")]
    Server(#[from] lettre::transport::smtp::Error),
    /// The file cannot be written.
    #[error("{0}")]
    File(#[from] io::Error),
}

/// A letter: plain text, to one person.
#[derive(Clone, Debug)]
pub struct Letter {
    /// To whom.
    pub to: Email,
    /// About what.
    pub subject: &'static str,
    /// What it says.
    pub text: String,
}

/// Sends mail.
#[derive(Clone, Debug)]
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    File(PathBuf),
    Log,
}

impl Mailer {
    /// By these settings.
    ///
    /// # Errors
    ///
    /// If there cannot be such a sender, or TLS cannot be set up.
    pub fn new(settings: &Mail) -> Result<Self, MailError> {
        let address = settings.from.as_str().parse().map_err(unfit)?;
        Ok(Self {
            from: Mailbox::new(Some("Portcullis".to_owned()), address),
            way: match &settings.way {
                MailWay::Smtp(smtp) => Way::Smtp(transport(smtp)?),
                MailWay::File(directory) => Way::File(directory.clone()),
                MailWay::Log => Way::Log,
            },
        })
    }

    /// Sends a letter, once.
    ///
    /// # Errors
    ///
    /// [`MailError`].
    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let to = letter.to.as_str().parse().map_err(unfit)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(unfit)?;
        match &self.way {
            Way::Smtp(server) => server.send(message).await.map(drop)?,
            Way::File(directory) => write(directory, &message.formatted())?,
            Way::Log => tracing::info!(to = letter.to.as_str(), text = letter.text, "mail"),
        }
        Ok(())
    }
}

fn unfit(error: impl std::fmt::Display) -> MailError {
    MailError::Unfit(error.to_string())
}

fn transport(smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let mut parameters = TlsParameters::builder(smtp.host.clone());
    if let Some(pem) = &smtp.ca {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
    }
    let tls = match smtp.tls {
        SmtpTls::Required => Tls::Required(parameters.build()?),
        SmtpTls::Implicit => Tls::Wrapper(parameters.build()?),
        SmtpTls::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    if let Some((name, password)) = &smtp.credentials {
        builder = builder.credentials(Credentials::new(name.clone(), password.0.clone()));
    }
    Ok(builder.build())
}

/// Whoever can read it can sign in as its receiver: it is for this user of the system only.
fn write(directory: &std::path::Path, message: &[u8]) -> io::Result<()> {
    let name = format!("{}.eml", uuid::Uuid::now_v7());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(directory.join(name))?;
    file.write_all(message)?;
    file.sync_all()
}
