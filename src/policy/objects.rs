//! What a route says about the objects of its backend: which it names, makes, removes and
//! lists, and what may stand in a body.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value as Json};

use super::namespace::{NamePlaces, TypeNames};
use super::{Field, Pointer, Source, Template};

/// All of it; nothing, by default.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Objects that a request names besides the one it is about. Each is checked like that.
    pub references: Vec<ResourceRule>,
    /// Objects that an answer tells were made.
    pub creates: Vec<CreateRule>,
    /// Whether a successful answer means that the route's resource is gone.
    pub deletes: bool,
    /// Lists in the answer from which goes what the caller may not see.
    pub filters: Vec<FilterRule>,
    /// The one object that the answer is about, where the request names it otherwise.
    pub answers: Option<AnswerRule>,
    /// How the backend cuts such a list into pages.
    pub pages: Option<PageRule>,
    /// Places of such an answer that tell of what is not in it any more; null is put there.
    pub hide: Vec<Pointer>,
    /// The upstream under whose name its objects are on record, if not its own.
    pub recorded_at: Option<Arc<str>>,
    /// Where names stand of which each project has its own.
    pub names: NamePlaces,
    /// What is written into the request before it is forwarded.
    pub set: Vec<SetRule>,
    /// Values for conditions on rights, beside those of the path.
    pub params: Vec<(Arc<str>, Source)>,
    /// What may not stand in the request.
    pub forbid: Vec<ForbidRule>,
    /// What must stand in the request, as one of some values.
    pub only: Vec<OnlyRule>,
    /// How the body is read; `None`: it is not, and streams through.
    pub body: Option<BodyRule>,
    /// When two names of the body or of the query are one.
    pub keys: Keys,
}

impl Objects {
    /// Whether it is judged of an answer what the caller may see.
    #[must_use]
    pub const fn judge_answers(&self) -> bool {
        !self.filters.is_empty() || self.answers.is_some()
    }
}

/// Objects that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRule {
    /// Their type, unless a form says otherwise.
    pub kind: Arc<str>,
    /// The places that hold the id. Those present must agree; a list of ids counts as each
    /// of them.
    pub ids: Vec<Source>,
    /// Whether a request may name none.
    pub optional: bool,
    /// Whether an id may be new to the backend: the caller chooses it, and it is refused only
    /// if it is another's.
    pub absent: bool,
    /// Whether the backend keeps the owners of this type: then it is named in the audit and
    /// not checked.
    pub backend: bool,
    /// Of a type whose owners the backend keeps: how it is asked, in the caller's project,
    /// whether it shows the object there.
    pub visible: Option<Arc<OwnRequest>>,
    /// What the value looks like if it is more than an id, as in `runs:/{id}/*`; the first
    /// that fits is taken. Empty: the value is the id.
    pub forms: Vec<Form>,
}

impl ResourceRule {
    /// Whether a request that does not name it is refused.
    #[must_use]
    pub const fn must_be_named(&self) -> bool {
        !self.optional && (!self.backend || self.visible.is_some())
    }
}

/// A text that holds an id: a literal, the id, and a literal or the beginning of a rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What stands before the id.
    pub before: Box<str>,
    /// What follows it; nothing if the id ends the text.
    pub after: Box<str>,
    /// Whether anything may come behind `after`.
    pub open: bool,
    /// The type of the object.
    pub kind: Arc<str>,
    /// As in [`ResourceRule::backend`].
    pub backend: bool,
}

impl Form {
    /// The id in a text that fits, and what comes behind.
    #[must_use]
    pub fn split<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let rest = text.strip_prefix(&*self.before)?;
        let (id, rest) = if self.open {
            rest.split_once(&*self.after)?
        } else {
            (rest.strip_suffix(&*self.after)?, "")
        };
        // A backend that cuts at another one would read another id. Paths have many `/`, and
        // no id has one.
        let is_clear = !self.open || &*self.after == "/" || !rest.contains(&*self.after);
        (!id.is_empty() && is_clear).then_some((id, rest))
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.open { "*" } else { "" };
        write!(f, "{}{{id}}{}{rest}", self.before, self.after)
    }
}

/// An object that an answer tells was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRule {
    /// Its type.
    pub kind: Arc<str>,
    /// Where its id is in the answer's body.
    pub id: Pointer,
    /// What is noted of it for conditions: `environment`, tags.
    pub labels: Vec<(Arc<str>, LabelSource)>,
    /// Whether an answer without the id is one that made nothing.
    pub optional: bool,
}

/// Where a label comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelSource {
    /// From the request.
    Request(Source),
    /// From the answer's body.
    Response(Pointer),
}

/// A list in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    /// Where the items are in the answer's body: an array, or each of several by `*`.
    pub items: Pointer,
    /// Their type.
    pub kind: Arc<str>,
    /// Where the id is in an item.
    pub id: Pointer,
    /// Whether an answer may be without it, whatever else it holds.
    pub optional: bool,
}

/// The object that an answer is about. One that the caller may not see, and one that the
/// backend does not know, are answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRule {
    /// Its type.
    pub kind: Arc<str>,
    /// Where its id is in the answer's body.
    pub id: Pointer,
}

/// Pages of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRule {
    /// Where the request says how many items it wants.
    pub size: Source,
    /// How many it gets if it does not say.
    pub default: u32,
    /// The backend's largest page, which is what the backend is asked for.
    pub most: Option<u32>,
    /// Where the request says which page it wants.
    pub token: Source,
    /// Where the answer names the next one.
    pub next: Pointer,
}

/// A value written into the request.
#[derive(Clone, Debug, PartialEq)]
pub struct SetRule {
    /// Where to: a query parameter, a header, or a place in the body, whose last segment may be
    /// `-` for the end of an array.
    pub at: Source,
    /// What.
    pub value: BodyTemplate,
}

/// A JSON value whose texts are templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyTemplate {
    /// Null, a number, true or false.
    Fixed(Json),
    /// A text.
    Text(Template),
    /// An array.
    List(Vec<BodyTemplate>),
    /// An object.
    Map(Vec<(String, BodyTemplate)>),
}

impl BodyTemplate {
    /// The fields it names.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Text(template) => template.fields().collect(),
            Self::List(items) => items.iter().flat_map(Self::fields).collect(),
            Self::Map(entries) => entries
                .iter()
                .flat_map(|(_, value)| value.fields())
                .collect(),
        }
    }

    /// The JSON with `fields` filled in; `None` when one of them is absent.
    pub fn render<'v>(&self, fields: &impl Fn(Field) -> Option<Cow<'v, str>>) -> Option<Json> {
        Some(match self {
            Self::Fixed(value) => value.clone(),
            Self::Text(template) => Json::String(template.render(fields)?),
            Self::List(items) => {
                let items = items.iter().map(|item| item.render(fields));
                Json::Array(items.collect::<Option<_>>()?)
            }
            Self::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| Some((key.clone(), value.render(fields)?)));
                Json::Object(entries.collect::<Option<Map<_, _>>>()?)
            }
        })
    }
}

/// What may not stand in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForbidRule {
    /// Which; with `*` each that it fits.
    pub at: Source,
    /// Values that may not. With neither these nor beginnings: anything but null and "".
    pub values: Vec<Box<str>>,
    /// Beginnings that may not, as in `file:`; compared without regard to case.
    pub prefixes: Vec<Box<str>>,
    /// Why; told to the caller.
    pub reason: Arc<str>,
}

/// What alone may stand in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlyRule {
    /// Which; with `*` each that it fits.
    pub at: Source,
    /// Whether it may be absent; if not, it must be there.
    pub optional: bool,
    /// One of these. Runs of blanks and line ends count as one blank.
    pub values: Vec<Box<str>>,
    /// Why; told to the caller.
    pub reason: Arc<str>,
}

/// How a body is read before anything is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRule {
    /// Content types that are read; others are 415.
    pub types: Vec<Box<str>>,
    /// In bytes; longer ones are 413.
    pub max: u64,
    /// When two keys are one.
    pub keys: Keys,
    /// What it is.
    pub format: BodyFormat,
}

/// When two keys of an object are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// If they are written alike.
    #[default]
    Exact,
    /// If they are alike without regard to case and `_`: for backends that read `run_id` and
    /// `runId`.
    Folded,
}

impl Keys {
    /// The form in which keys that are the same are alike.
    #[must_use]
    pub fn fold(self, key: &str) -> Cow<'_, str> {
        match self {
            Self::Exact => Cow::Borrowed(key),
            Self::Folded => Cow::Owned(folded(key).collect()),
        }
    }

    /// Whether two keys are the same.
    #[must_use]
    pub fn same(self, a: &str, b: &str) -> bool {
        a == b || (self == Self::Folded && folded(a).eq(folded(b)))
    }
}

/// By way of the upper case, since some readers take `ſ` for `s`, and `ẞ` and `ß` for one.
fn folded(key: &str) -> impl Iterator<Item = char> {
    let letters = key.chars().filter(|c| *c != '_');
    letters
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// What an inspected body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyFormat {
    /// JSON (RFC 8259), read strictly.
    #[default]
    Json,
    /// One gRPC message; the segments of a pointer are numbers of fields.
    Grpc,
    /// One message of Protocol Buffers; pointers as for gRPC.
    Protobuf,
}

/// How the owner of an object of some type is found.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceType {
    /// Name of its upstream.
    pub upstream: Arc<str>,
    /// Its name.
    pub kind: Arc<str>,
    /// How.
    pub ownership: Ownership,
    /// How the backend lists all there are, for adoption.
    pub list: Option<ListRequest>,
    /// Whose their names are.
    pub names: TypeNames,
}

/// Who knows the owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Ownership {
    /// The gateway: it recorded who made it. Types that are not declared are of this kind.
    Recorded,
    /// The backend, which keeps tenants apart itself: not checked here.
    Backend,
    /// Whoever knows that of the object it belongs to.
    Via(Via),
}

/// How an object leads to the one it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Via {
    /// Type of that.
    pub parent: Arc<str>,
    /// How its id is found.
    pub by: ViaBy,
}

/// How the id of a parent is found.
#[derive(Clone, Debug, PartialEq)]
pub enum ViaBy {
    /// It stands in the child's own id, before this separator.
    Prefix(Box<str>),
    /// The backend is asked.
    Asking(Box<Asking>),
}

/// How the backend is asked for a parent.
#[derive(Clone, Debug, PartialEq)]
pub struct Asking {
    /// For one child.
    pub one: SingleLookup,
    /// For many at once.
    pub bulk: Option<BulkLookup>,
    /// Whether a child never changes its parent, so that the answer may be kept.
    pub immutable: bool,
}

/// A request of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRequest {
    /// Its method.
    pub method: Method,
    /// Path and query; `{id}` stands for the id, percent-encoded.
    pub target: Box<str>,
    /// Its body; the text `{id}` or `{ids}` stands for the id or the array of all.
    pub body: Option<Json>,
}

/// One child, one question.
#[derive(Clone, Debug, PartialEq)]
pub struct SingleLookup {
    /// The question.
    pub request: OwnRequest,
    /// Where the parent's id is in the answer.
    pub parent_id: Pointer,
}

/// Many children, one question.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkLookup {
    /// The question.
    pub request: OwnRequest,
    /// Where the answers are.
    pub items: Pointer,
    /// Where the child's id is in each.
    pub id: Pointer,
    /// Where the parent's is.
    pub parent_id: Pointer,
    /// How many children may be asked for at once.
    pub max: usize,
}

/// How a backend lists all objects of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct ListRequest {
    /// The question for the first page.
    pub request: OwnRequest,
    /// Where the items are.
    pub items: Pointer,
    /// Where the id is in each.
    pub id: Pointer,
    /// Pages: where the answer names the next one, and the query parameter or body pointer
    /// that asks for it.
    pub pages: Option<(Pointer, Source)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(after: &str) -> Form {
        Form {
            before: "models:/".into(),
            after: after.into(),
            open: true,
            kind: "model".into(),
            backend: false,
        }
    }

    #[test]
    fn a_text_that_can_be_cut_in_two_places_fits_no_form() {
        assert_eq!(form("@").split("models:/a@prod"), Some(("a", "prod")));
        assert_eq!(form("@").split("models:/a@b@prod"), None);
        assert_eq!(form("@").split("models:/a@@prod"), None);
        assert_eq!(form("/").split("models:/a/1/x/y"), Some(("a", "1/x/y")));
    }
}
