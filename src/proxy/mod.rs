//! The data plane: Pingora calls, the policy decides, the permitted request is rebuilt.
//!
//! | file | stage |
//! |---|---|
//! | `front/` | from an accepted connection to one request at a time |
//! | `client.rs` | who is at the other end of the connection |
//! | `exchange.rs` | what is known of one request (Pingora's CTX) |
//! | `gateway.rs` | the stages as Pingora calls them (`ProxyHttp`) |
//! | `stages.rs` | canonical request, verdict, refusal |
//! | `consider.rs`, `inspect.rs` | verdict, with the body and the owners it needs |
//! | `asking/` | the gateway's own questions to a backend: whose an object is |
//! | `call.rs` | an exchange with a backend that is the gateway's own |
//! | `relay.rs` | one whose body was read before the verdict |
//! | `capture/` | answers that are understood before they are passed on |
//! | `forward.rs` | what goes upstream besides what came |
//! | `redirect.rs` | the way to TLS, where nothing else is told |
//! | `rules.rs` | what the configuration says |
//! | `target.rs` | the request target as it was sent |
//! | `cookies.rs` | which cookies pass |
//! | `rate.rs` | rate limits |
//! | `headers.rs` | the upstream request, rebuilt from the permit |
//! | `upstream.rs`, `addresses.rs` | where it goes |
//! | `control_plane.rs` | the way to the gateway's own control plane |
//! | `back/` | one request and one answer at a time on a connection to a backend |
//! | `attempt.rs`, `circuit.rs` | where again, and where not |
//! | `backend_answer.rs` | what of the backend's answer passes, and where it ends |
//! | `rescue.rs`, `answer.rs`, `dialect.rs`, `grpc.rs` | what the client hears when it does not |
//! | `no_request.rs` | what never became a request |
//! | `record.rs` | the audit event |
//! | `provision.rs` | the gateway's own requests when a project appears |

mod addresses;
mod answer;
mod asked;
mod asking;
mod assertion;
mod attempt;
mod back;
mod backend_answer;
mod call;
mod capture;
mod circuit;
mod client;
mod consider;
mod control_plane;
pub mod cookies;
mod crowd;
mod dialect;
mod error_page;
mod exchange;
mod forward;
mod front;
mod gateway;
mod grpc;
mod headers;
mod inspect;
mod navigation;
mod no_request;
mod provision;
mod rate;
mod record;
mod redirect;
mod relay;
mod rescue;
mod rules;
mod stages;
mod target;
mod upstream;

pub use asking::{
    Asker, Lineage, ListedObject, ListingError, Listings, OwnerSearch, OwnersUnknown,
};
pub use assertion::Assertions;
pub use capture::{Page, PageTokens};
pub use control_plane::ControlPlane;
pub use exchange::InFlight;
pub use front::{CertificateWatch, Front, Listener, Protocol, Renewal};
pub use gateway::{Core, Gateway};
pub use provision::Provisioner;
pub use rules::{LiveRules, Rules};
pub use upstream::UpstreamError;
