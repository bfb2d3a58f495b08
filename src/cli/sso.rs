//! `portcullis sso`: services that sign people in.

use clap::{Args, Subcommand};

use super::output::{Column, Output};
use super::session::{block_on, connect};
use super::{CliError, Global, check};
use crate::authn::{Apart, Examined, Fetch, Seal, SignInProvider, Verdict};
use crate::clock::Clock;
use crate::config::{Provider, SignIn};
use crate::domain::Slug;

#[derive(Debug, Subcommand)]
pub(super) enum SsoCommand {
    Test(TestArgs),
}

/// Look at a provider, and say in plain words what is wrong
///
/// Reads what it says of itself, its keys and certificates, and whether it knows this gateway, as
/// far as that can be told without anybody signing in. Prints a line for each thing; exits with 1
/// if anything is wrong. Asks the provider, and nobody else.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// Its `name`, in the configuration or on record
    provider: Slug,
}

impl SsoCommand {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let Self::Test(args) = self;
        args.run(global)
    }
}

impl TestArgs {
    fn run(self, global: &Global) -> Result<(), CliError> {
        let settings = check::load(global.config(), global.json())?;
        let Some((sign_in, site)) = settings
            .sign_in
            .as_ref()
            .and_then(|it| it.public_url.as_ref().map(|site| (it, site)))
        else {
            let why = "nobody is sent anywhere: `sign_in.public_url` is not set".to_owned();
            return Err(CliError::Failed(why));
        };
        let found = block_on(async {
            let provider = self.find(global, sign_in).await?;
            let fetch = Fetch::new().map_err(CliError::failed)?;
            let here = (site, &provider.name);
            let service = SignInProvider::new(&provider.kind, here, fetch, Clock::system());
            Ok(service.examine().await)
        })?;
        let output = Output {
            json: global.json(),
        };
        output.list(&found, COLUMNS)?;
        let wrong = found.iter().filter(|each| each.verdict == Verdict::Wrong);
        match wrong.count() {
            0 => Ok(()),
            1 => Err(CliError::Failed("one thing is wrong".to_owned())),
            wrong => Err(CliError::Failed(format!("{wrong} things are wrong"))),
        }
    }

    /// That of the configuration, which comes first, or that on record.
    async fn find(&self, global: &Global, sign_in: &SignIn) -> Result<Provider, CliError> {
        let mut configured = sign_in.providers.iter();
        if let Some(found) = configured.find(|each| each.name == self.provider) {
            return Ok(found.clone());
        }
        let db = connect(global, None).await?;
        let stored = db.stored_providers().await?;
        let Some(found) = stored
            .iter()
            .find(|each| each.name == self.provider.as_str())
        else {
            let configured = sign_in.providers.iter().map(|each| each.name.as_str());
            let names: Vec<_> = configured
                .chain(stored.iter().map(|each| &*each.name))
                .collect();
            return Err(CliError::Failed(format!(
                "there is no provider `{}`; there are: {}",
                self.provider,
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            )));
        };
        let seal = Seal::new(&sign_in.secrets.keys, &db.pepper().await?);
        Apart::usable(found, &seal).map_err(CliError::Failed)
    }
}

const COLUMNS: &[Column<Examined>] = &[
    ("WHAT", |each| each.what.clone()),
    ("IS", |each| {
        let word = match each.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Wrong => "WRONG",
        };
        word.to_owned()
    }),
    ("FOUND", |each| each.found.clone()),
];
