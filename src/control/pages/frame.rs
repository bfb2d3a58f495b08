//! What is around every page of an account: whose it is, the way out, the other pages.

use super::visitor::SignedIn;
use crate::domain::visible;

/// One of the pages, as the navigation marks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Keys,
    Sessions,
    Password,
}

/// For the templates that extend `account_base.html`.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) email: String,
    /// Of this session's forms.
    pub(super) token: String,
    here: Place,
}

impl Frame {
    pub(super) fn of(SignedIn { visitor, person }: &SignedIn, here: Place) -> Self {
        Self {
            name: visible(&person.principal.name).into_owned(),
            email: visible(person.principal.label()).into_owned(),
            token: visitor.sign_ins.form_token(person.session),
            here,
        }
    }

    /// Whether this is the page of the navigation's entry.
    pub(super) const fn is(&self, place: Place) -> bool {
        matches!(
            (self.here, place),
            (Place::Overview, Place::Overview)
                | (Place::Keys, Place::Keys)
                | (Place::Sessions, Place::Sessions)
                | (Place::Password, Place::Password)
        )
    }
}
