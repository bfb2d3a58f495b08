//! What can go wrong in the store, and the one place that maps causes to it.

use sqlx::error::{DatabaseError, ErrorKind};

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The truth cannot be asked: no connection, a time-out, a schema that is missing.
    #[error("the database cannot be asked: {0}")]
    Unavailable(String),
    /// What was named does not exist.
    #[error("no {kind} `{name}`")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// By which name.
        name: String,
    },
    /// It exists already, or is so already.
    #[error("{0}")]
    Conflict(String),
    /// A rule forbids it.
    #[error("{0}")]
    Refused(String),
    /// The database refuses it to whoever it is done for: a missing right, or row-level security.
    #[error("the database refuses it: {0}")]
    Forbidden(String),
    /// The database login could get around row-level security.
    #[error("{0}")]
    UnfitLogin(String),
    /// The database holds what it should not be able to hold.
    #[error("the database holds something unexpected: {0}")]
    Corrupt(String),
}

impl StoreError {
    pub(super) fn not_found(kind: &'static str, name: &(impl ToString + ?Sized)) -> Self {
        let name = name.to_string();
        Self::NotFound { kind, name }
    }

    pub(super) fn corrupt(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Corrupt(cause.into().to_string())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(cause) => from_database(&*cause),
            sqlx::Error::Decode(cause) | sqlx::Error::ColumnDecode { source: cause, .. } => {
                Self::corrupt(cause)
            }
            sqlx::Error::RowNotFound
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. } => Self::corrupt(error),
            sqlx::Error::Io(cause) => Self::Unavailable(cause.to_string()),
            // The rest is about connections, pools and protocols.
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(cause) => cause.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

fn from_database(cause: &dyn DatabaseError) -> StoreError {
    match cause.kind() {
        ErrorKind::UniqueViolation => StoreError::Conflict(taken(cause.constraint())),
        ErrorKind::ForeignKeyViolation | ErrorKind::CheckViolation => {
            StoreError::Refused(rule(cause))
        }
        _ => from_sqlstate(cause),
    }
}

fn from_sqlstate(cause: &dyn DatabaseError) -> StoreError {
    match cause.code().as_deref() {
        // Undefined table, column, function, role: the owner has not run `migrate`.
        Some("42P01" | "42703" | "42883" | "22023") => {
            StoreError::Unavailable(format!("{}; run `portcullis migrate`", cause.message()))
        }
        Some("42501") => StoreError::Forbidden(cause.message().to_owned()),
        _ => StoreError::Unavailable(cause.message().to_owned()),
    }
}

fn taken(constraint: Option<&str>) -> String {
    let what = match constraint.unwrap_or_default() {
        "tenants_slug_key" => "a tenant of this name",
        "projects_tenant_id_slug_key" => "a project of this name in the tenant",
        "principals_email" => "a user with this e-mail address",
        "principals_tenant_name" => "a service account of this name in the tenant",
        "roles_built_in_name" | "roles_custom_name" => "a role of this name",
        "bindings_platform" | "bindings_tenant" | "bindings_project" | "bindings_resource" => {
            "this membership"
        }
        "resources_upstream_type_external_id_key" => "an object of this id",
        "projects_name_retired" => "a deleted project of this name, which backends may know,",
        "projects_keys_in_force" => "a key in force that is limited to the project",
        other => other,
    };
    format!("{what} exists already")
}

fn rule(cause: &dyn DatabaseError) -> String {
    match cause.constraint().unwrap_or_default() {
        "bindings_role_of_same_scope" => "the role is still bound somewhere".to_owned(),
        "principals_name_check" | "tenants_name_check" | "projects_name_check" => {
            "a name has 1 to 200 characters".to_owned()
        }
        "roles_name_check" => {
            "a role's name has lower-case letters, digits and `_`, begins with a letter and has at most 60"
                .to_owned()
        }
        "bindings_condition_check" => "a condition has 1 to 2000 bytes".to_owned(),
        "bindings_resource_of_project" => "the object is being bound somewhere".to_owned(),
        "resources_external_id_check" => "an object's id has 1 to 1024 bytes".to_owned(),
        "resources_labels_check" => "labels are texts, 8 KiB of them at most".to_owned(),
        "resources_project_of_tenant" => "there is no such project".to_owned(),
        "api_keys_description_check" => "a description has at most 500 characters".to_owned(),
        _ => cause.message().to_owned(),
    }
}
