//! `portcullis sso`: services that sign people in.

use clap::{Args, Subcommand};

use super::output::{Column, Output};
use super::session::block_on;
use super::{CliError, Global, check};
use crate::authn::{Examined, Fetch, SignInProvider, Verdict};
use crate::clock::Clock;
use crate::config::Provider;
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
    /// Its `name` in the configuration
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
        let sign_in = settings.sign_in.as_ref();
        let all = sign_in.map_or(&[][..], |sign_in| &sign_in.providers);
        let found = all.iter().find(|each| each.name == self.provider);
        let site = sign_in.and_then(|sign_in| sign_in.public_url.as_ref());
        let (Some(provider), Some(site)) = (found, site) else {
            return Err(CliError::Failed(format!(
                "there is no provider `{}` in `sign_in.providers`; there are: {}",
                self.provider,
                names(all)
            )));
        };
        let fetch = Fetch::new().map_err(CliError::failed)?;
        let here = (site, &provider.name);
        let service = SignInProvider::new(&provider.kind, here, fetch, Clock::system());
        let found = block_on(async { Ok(service.examine().await) })?;
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
}

fn names(of: &[Provider]) -> String {
    if of.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<_> = of.iter().map(|each| each.name.as_str()).collect();
    names.join(", ")
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
