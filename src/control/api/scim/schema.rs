//! The attributes that are kept (RFC 7643 §4).

use serde_json::{Value, json};

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// The address of a user.
    Reference,
    Bool,
    /// Attributes of its own.
    Complex(&'static [Attribute]),
}

/// When two texts are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToldApart {
    /// If they differ in more than case.
    NotByCase,
    /// If they differ at all.
    ByCase,
    /// As the first; and no two resources have one.
    FromAll,
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_multi: bool,
    pub(super) is_required: bool,
    pub(super) is_read_only: bool,
    told_apart: ToldApart,
    about: &'static str,
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Kind::Text,
        is_multi: false,
        is_required: false,
        is_read_only: false,
        told_apart: ToldApart::NotByCase,
        about,
    }
}

const fn several(name: &'static str, of: &'static [Attribute], about: &'static str) -> Attribute {
    Attribute {
        kind: Kind::Complex(of),
        is_multi: true,
        ..text(name, about)
    }
}

const fn read_only(attribute: Attribute) -> Attribute {
    Attribute {
        is_read_only: true,
        ..attribute
    }
}

const EXTERNAL_ID: Attribute = Attribute {
    told_apart: ToldApart::ByCase,
    ..text("externalId", "As the directory names it")
};

pub(super) const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute {
        is_required: true,
        told_apart: ToldApart::FromAll,
        ..text(
            "userName",
            "What the user is called in the directory: their address, as a rule",
        )
    },
    Attribute {
        kind: Kind::Complex(&[
            text("formatted", "All of it"),
            text("familyName", "The last name"),
            text("givenName", "The first name"),
        ]),
        ..text("name", "What the user is called")
    },
    text("displayName", "What the user is called, as others see it"),
    Attribute {
        kind: Kind::Bool,
        ..text("active", "Whether the user may do anything here")
    },
    several(
        "emails",
        &[
            text("value", "The address"),
            text("type", "Which one: `work`, say"),
            Attribute {
                kind: Kind::Bool,
                ..text("primary", "Whether it is the one that the account has")
            },
        ],
        "Addresses; the primary one, else the first, is the account's",
    ),
    EXTERNAL_ID,
    read_only(several(
        "groups",
        &[
            text("value", "Its id"),
            text("display", "What it is called"),
        ],
        "The groups that the user is in",
    )),
];

pub(super) const GROUP_ATTRIBUTES: &[Attribute] = &[
    Attribute {
        is_required: true,
        ..text(
            "displayName",
            "What the group is called: by this name roles are given",
        )
    },
    several(
        "members",
        &[
            Attribute {
                told_apart: ToldApart::ByCase,
                ..text("value", "The id of a user")
            },
            Attribute {
                kind: Kind::Reference,
                ..text("$ref", "Where the user is")
            },
        ],
        "Who is in the group",
    ),
    EXTERNAL_ID,
];

/// The attribute of this name, whatever its case (RFC 7643 §2.1).
pub(super) fn named(of: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    of.iter().find(|each| each.name.eq_ignore_ascii_case(name))
}

/// Both schemas, as a client reads them (RFC 7643 §7).
pub(super) fn described(tenant: &str) -> [Value; 2] {
    [
        ("User", USER, USER_ATTRIBUTES),
        ("Group", GROUP, GROUP_ATTRIBUTES),
    ]
    .map(|(name, id, attributes)| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id,
            "name": name,
            "description": name,
            "attributes": attributes.iter().map(Attribute::described).collect::<Vec<_>>(),
            "meta": {
                "resourceType": "Schema",
                "location": format!("/.portcullis/scim/v2/{tenant}/Schemas/{id}"),
            },
        })
    })
}

impl Attribute {
    /// One of its values.
    pub(super) const fn one(self) -> Self {
        Self {
            is_multi: false,
            ..self
        }
    }

    fn described(&self) -> Value {
        let mut said = json!({
            "name": self.name,
            "type": match self.kind {
                Kind::Text => "string",
                Kind::Reference => "reference",
                Kind::Bool => "boolean",
                Kind::Complex(_) => "complex",
            },
            "multiValued": self.is_multi,
            "description": self.about,
            "required": self.is_required,
            "mutability": if self.is_read_only { "readOnly" } else { "readWrite" },
            "returned": "default",
        });
        match self.kind {
            Kind::Complex(of) => {
                said["subAttributes"] = of.iter().map(Self::described).collect();
            }
            Kind::Text => {
                said["caseExact"] = (self.told_apart == ToldApart::ByCase).into();
                let is_unique = self.told_apart == ToldApart::FromAll;
                said["uniqueness"] = if is_unique { "server" } else { "none" }.into();
            }
            Kind::Reference => said["referenceTypes"] = json!(["User"]),
            Kind::Bool => {}
        }
        said
    }
}
