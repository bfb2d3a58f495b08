//! Passwords that were forgotten: a link by mail, for whoever asks, if there is such a person.
//!
//! The answer is given before anything is looked up: neither its words nor its time tell whether
//! anybody has the address.

use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use url::Url;

use super::throttle::Throttle;
use super::{Refusal, SignIns, Truth};
use crate::control::mail::{Letter, MailError, Mailer};
use crate::domain::{Email, LinkPurpose, LinkToken};
use crate::store::api::ApiRequest;
use crate::store::{Attempt, Author, Failures, NewLink, StoreError};

/// Letters that may wait; whoever asks beyond asks again.
const WAITING: usize = 100;
/// Letters to one address, until a quarter of an hour has gone by without any.
const MOST: i64 = 3;
/// How long to wait before each further attempt to send one.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// Where addresses wait for a letter.
#[derive(Clone, Debug)]
pub struct Letterbox(mpsc::Sender<Email>);

/// Sends what is asked for.
#[derive(Debug)]
pub struct Postman {
    asked: mpsc::Receiver<Email>,
    truth: Truth,
    author: Author,
    mailer: Mailer,
    site: Url,
}

impl Postman {
    /// One who sends by this, and leads to this site.
    #[must_use]
    pub fn new(truth: Truth, author: Author, mailer: Mailer, site: Url) -> (Self, Letterbox) {
        let (sender, asked) = mpsc::channel(WAITING);
        let postman = Self {
            asked,
            truth,
            author,
            mailer,
            site,
        };
        (postman, Letterbox(sender))
    }

    /// Sends for ever.
    pub async fn run(mut self) {
        while let Some(to) = self.asked.recv().await {
            if let Err(error) = self.serve(&to).await {
                tracing::error!(%error, "a link to choose a password was not made");
            }
        }
    }

    async fn serve(&mut self, to: &Email) -> Result<(), StoreError> {
        let account = self.truth.db.account(to).await?;
        if account.is_none_or(|account| account.disabled) || !self.may_have_another(to).await? {
            return Ok(());
        }
        let token = LinkToken::generate(&mut StdRng::from_os_rng());
        let new = NewLink {
            id: token.id(),
            secret_hash: self.truth.pepper.hash(token.secret()),
            purpose: LinkPurpose::Reset,
        };
        self.truth.db.make_link(&mut self.author, to, &new).await?;
        let letter = letter(to, &self.site, &token, LinkPurpose::Reset);
        if let Err(error) = self.deliver(&letter).await {
            tracing::error!(%error, "a letter was not sent");
            let why = error.to_string();
            self.truth
                .db
                .mail_failed(&mut self.author, to, &why)
                .await?;
        }
        Ok(())
    }

    async fn deliver(&self, letter: &Letter) -> Result<(), MailError> {
        for wait in AGAIN {
            match self.mailer.send(letter).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "a letter is tried again"),
            }
            tokio::time::sleep(wait).await;
        }
        self.mailer.send(letter).await
    }

    /// Nobody's mailbox is filled by who asks again and again.
    async fn may_have_another(&self, to: &Email) -> Result<bool, StoreError> {
        let now = self.truth.clock.now();
        let since = Throttle::at(now).since();
        let letters = Attempt {
            account: self.truth.pepper.hash(to.as_str().as_bytes()).0,
            source: "letters".to_owned(),
        };
        let judge = |failures: &Failures| (failures.here >= MOST).then_some(0);
        let (_, refused) = self.truth.db.admit(&letters, (since, now), judge).await?;
        Ok(refused.is_none())
    }
}

impl SignIns {
    /// Whether a forgotten password can be asked for.
    pub(in crate::control) fn sends_letters(&self) -> bool {
        self.letterbox.is_some()
    }

    /// Asks for a letter, of whoever has this address.
    pub(in crate::control) async fn forgotten(
        &self,
        request: &ApiRequest,
        name: &str,
    ) -> Result<(), Refusal> {
        let name = name.trim().to_lowercase();
        let asked = Attempt {
            account: self.account(format!("forgotten {name}").as_bytes()),
            ..self.attempt("", request, None)
        };
        if let Some(wait) = self.admit(&asked, request).await? {
            return Err(Refusal::Throttled(wait));
        }
        let Some(Letterbox(letterbox)) = &self.letterbox else {
            return Err(Refusal::Wrong);
        };
        if let Ok(to) = name.parse::<Email>()
            && letterbox.try_send(to).is_err()
        {
            tracing::warn!("too many letters wait: one more was not sent");
        }
        Ok(())
    }
}

/// What a letter with a link says.
#[must_use]
pub fn letter(to: &Email, site: &Url, token: &LinkToken, purpose: LinkPurpose) -> Letter {
    let token = token.reveal();
    let link = format!(
        "{site}.portcullis/set-password?token={}",
        token.expose_secret()
    );
    let (subject, why, until) = match purpose {
        LinkPurpose::Invitation => ("Choose your password", "You are invited to", "seven days"),
        LinkPurpose::Reset => (
            "Choose another password",
            "Somebody, you we hope, has forgotten the password of this address at",
            "an hour",
        ),
    };
    let text = format!(
        "{why} {site}\n\nChoose a password here, once, within {until}:\n\n{link}\n\nIf you did not \
         expect this, do nothing: without this link nothing changes. Give it to nobody.\n"
    );
    Letter {
        to: to.clone(),
        subject,
        text,
    }
}
