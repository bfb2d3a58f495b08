//! `portcullis explain`: why was I refused?
//!
//! | file | what |
//! |---|---|
//! | `asked.rs` | the request that is asked about |
//! | `subject.rs` | who sends it, by which key |
//! | `verdict.rs` | what becomes of it, by the gateway's own code |
//! | `objects.rs` | whose the objects are that it names |
//! | `held.rs` | roles, as they are told |
//! | `explanation.rs` | the answer |

mod asked;
mod explanation;
mod held;
mod objects;
mod subject;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::{Method, Uri};

use super::output::Output;
use super::session::{block_on, connect};
use super::{CliError, Global, check};
use crate::cache::{OwnerCache, Owners};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{KeyId, PrincipalName, ProjectPath};
use crate::policy::RoleTable;
use crate::proxy::OwnerSearch;
use crate::store::{DatabaseUrl, Db};
use crate::telemetry::Metrics;

use asked::Asked;
use explanation::Explanation;
use verdict::Verdict;

/// Nothing is remembered for longer than the answer takes.
const MEMORY: Duration = Duration::from_mins(1);

/// Say whether a request would be permitted, and why, without sending it
///
/// Decides with the configuration, the roles and the records of objects as they are now, by
/// the very code that the gateway runs. Exit code 0: it would be permitted; 7: it would be
/// denied.
///
/// Examples:
///
///   portcullis explain --principal ann@example.com --project acme/fraud \
///       POST /api/2.0/mlflow/runs/create
///   portcullis explain --principal acme/robot --key 4fT0aXq1ZbLw GET '/get-artifact?path=x'
///   portcullis explain --principal ann@example.com --body request.json POST /runs/log
///
/// Some objects belong to what their backend says (`via` with a `request`). It is asked only
/// with --ask; without, a request that names such an object is UNDECIDED, with exit code 7.
/// So is one that names objects which the backend itself isolates and is asked to show.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ExplainArgs {
    /// Who asks: an e-mail address, TENANT/NAME of a service account, or an id
    #[arg(long)]
    pub principal: PrincipalName,
    /// With which key: its limits, expiry and revocation count too
    #[arg(long, value_name = "ID")]
    pub key: Option<KeyId>,
    /// The project that the request names
    #[arg(long, value_name = "TENANT/PROJECT")]
    pub project: Option<ProjectPath>,
    /// Ask backends whose the objects are that only they know of: nothing else is sent
    #[arg(long)]
    pub ask: bool,
    /// The database [default: `database.url` of the configuration, else the private Postgres]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,
    /// The request's body, for routes that read it: JSON, or a file that holds it
    #[arg(long, value_name = "FILE|JSON")]
    pub body: Option<String>,
    /// HTTP method
    pub method: Method,
    /// URL, or a path with its query
    pub url: Uri,
}

impl ExplainArgs {
    pub(super) fn run(self, global: &Global) -> Result<(), CliError> {
        let settings = check::load(global.config(), global.json())?;
        let explanation = block_on(async {
            let db = connect(global, self.database_url.clone()).await?;
            self.explain(settings, &db, &Clock::system()).await
        })?;
        let output = Output {
            json: global.json(),
        };
        output.block(&explanation, &explanation.text())?;
        if explanation.permitted() {
            Ok(())
        } else {
            Err(CliError::Denied)
        }
    }

    async fn explain(
        &self,
        mut settings: Settings,
        db: &Db,
        clock: &Clock,
    ) -> Result<Explanation, CliError> {
        let now = clock.now();
        let (label, authentication) = self.authentication(db, &settings.catalogue, now).await?;
        let (table, _) = RoleTable::build(db.load_policy().await?, &settings.catalogue);
        let rates = settings.rate.clone();
        let search = search(&mut settings, db, clock).await?;
        let asked = Asked::new(self)?;
        let segments = asked.segments();
        let question = asked.question(&segments, search.routes(), &authentication, &table, now);
        let body = self.body(&question.lookup)?;
        let verdict = Verdict::of(question, body.as_ref(), &search, self.ask).await?;
        Ok(Explanation::new(label, &verdict, &table, &rates))
    }
}

async fn search(settings: &mut Settings, db: &Db, clock: &Clock) -> Result<OwnerSearch, CliError> {
    // Nobody reads its metrics.
    let metrics = Metrics::new();
    let cache = Arc::new(OwnerCache::new(MEMORY));
    let owners = Owners::new(db.clone(), cache, clock.clone(), &metrics);
    let search = OwnerSearch::new(settings, Arc::new(owners), clock, &metrics).await;
    search.map_err(CliError::failed)
}
