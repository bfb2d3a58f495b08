//! The command line: one file per subcommand.
//!
//! The admin commands (`tenants` … `audit`) need only the database. They share a
//! [`Session`](session::Session): the database, the author of changes (the
//! operating-system user), and the form of the output.

mod audit;
pub mod check;
mod coverage;
mod error;
pub mod explain;
pub mod import;
mod keys;
mod links;
mod members;
mod migrate;
mod objects;
mod output;
mod password;
pub mod postgres;
mod projects;
mod resources;
mod roles;
pub mod routes;
pub mod serve;
mod service_accounts;
mod session;
mod sessions;
mod settings;
mod signing_keys;
mod sso;
mod tenants;
mod users;
mod verify_isolation;
mod when;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use error::CliError;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, a rule forbids it, or `routes --uncovered` or `verify-isolation` found something
  2  wrong usage
  3  the configuration, or a description to import, is invalid
  4  the database cannot be reached
  5  what was named does not exist
  6  it exists already, or is so already
  7  explain: the request would be denied";

/// Authorization gateway in front of an unmodified backend
///
/// Portcullis stands in front of an ML backend (MLflow, KServe V2, OpenAI-compatible
/// servers) and gives it what it lacks: API keys, projects with roles, isolation of
/// tenants, and an audit trail.
///
/// First steps:
///
///   portcullis migrate                                  # prepare the database
///   portcullis users create ann@example.com
///   portcullis members add --scope platform --principal ann@example.com --role superadmin
///   portcullis keys create --principal ann@example.com  # prints the key, once
///   portcullis check && portcullis serve
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, verbatim_doc_comment, after_help = EXIT_CODES)]
#[command(propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The configuration [default: portcullis.yaml]
    #[arg(long, global = true, env = "PORTCULLIS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Global {
    /// The configuration that was named, else the default one.
    #[must_use]
    pub fn config(&self) -> &Path {
        let default = Path::new("portcullis.yaml");
        self.config.as_deref().unwrap_or(default)
    }

    /// Whether a configuration was named: then it must be there.
    #[must_use]
    pub const fn names_config(&self) -> bool {
        self.config.is_some()
    }

    /// Whether data is to be printed as JSON.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Routes(routes::RoutesArgs),
    /// Make a first route map from what a backend says of itself
    #[command(subcommand)]
    Import(import::ImportCommand),
    Migrate(migrate::MigrateArgs),
    Postgres(postgres::PostgresArgs),
    /// Tenants: the outer isolation boundary
    Tenants(session::Admin<tenants::TenantsCommand>),
    /// Projects: they live in a tenant and have exactly one owner
    Projects(session::Admin<projects::ProjectsCommand>),
    /// Users: people, known by their e-mail address
    Users(session::Admin<users::UsersCommand>),
    /// Service accounts: principals that are no people, at home in one tenant
    ServiceAccounts(session::Admin<service_accounts::ServiceAccountsCommand>),
    /// Objects of backends: which project they belong to
    Resources(session::Admin<resources::ResourcesCommand>),
    /// Members: who holds which role where
    Members(session::Admin<members::MembersCommand>),
    /// Roles: built in, or custom in a tenant
    Roles(session::Admin<roles::RolesCommand>),
    /// Sessions: where people are signed in
    Sessions(session::Admin<sessions::SessionsCommand>),
    /// Services that sign people in
    #[command(subcommand)]
    Sso(sso::SsoCommand),
    /// API keys
    Keys(session::Admin<keys::KeysCommand>),
    /// What the gateway signs with: assertions of who asks
    SigningKeys(session::Admin<signing_keys::SigningKeysCommand>),
    /// The audit trail
    Audit(session::Admin<audit::AuditCommand>),
    VerifyIsolation(verify_isolation::VerifyIsolationArgs),
}

/// Reads the arguments, does it, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    command.run(&global)
}

impl Command {
    fn run(self, global: &Global) -> ExitCode {
        let done = match self {
            Self::Serve(args) => args.run(global),
            Self::Check(args) => args.run(global),
            Self::Routes(args) => args.run(global),
            Self::Explain(args) => args.run(global),
            Self::Import(command) => command.run(global),
            Self::Migrate(args) => args.run(global),
            Self::Postgres(args) => session::block_on(async {
                let essentials = settings::read(global)?;
                let ran = args.run(&essentials.data_dir, global.json).await;
                ran.map_err(CliError::failed)
            }),
            Self::Tenants(admin) => admin.run(global),
            Self::Projects(admin) => admin.run(global),
            Self::Users(admin) => admin.run(global),
            Self::ServiceAccounts(admin) => admin.run(global),
            Self::Resources(admin) => admin.run(global),
            Self::Members(admin) => admin.run(global),
            Self::Roles(admin) => admin.run(global),
            Self::Sessions(admin) => admin.run(global),
            Self::Sso(command) => command.run(global),
            Self::Keys(admin) => admin.run(global),
            Self::SigningKeys(admin) => admin.run(global),
            Self::Audit(admin) => admin.run(global),
            Self::VerifyIsolation(args) => args.run(global),
        };
        exit_code(done)
    }
}

fn exit_code(done: Result<(), CliError>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
