//! What is around every page of an account: whose it is, the way out, the other pages.

use super::visitor::SignedIn;
use crate::domain::visible;

/// One of the pages, as the navigation marks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Project,
    Keys,
    Sessions,
    Password,
    Factors,
}

/// For the templates that extend `account_base.html`.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) email: String,
    /// Of this session's forms.
    pub(super) token: String,
    /// Whether there are second factors here.
    factors: bool,
    here: Place,
}

impl Frame {
    pub(super) fn of(SignedIn { visitor, person }: &SignedIn, here: Place) -> Self {
        Self {
            name: visible(&person.principal.name).into_owned(),
            email: visible(person.principal.label()).into_owned(),
            token: visitor.sign_ins.form_token(person.session),
            factors: visitor.sign_ins.has_factors(),
            here,
        }
    }

    /// Whether this is the page of the navigation's entry.
    pub(super) fn is(&self, place: Place) -> bool {
        self.here == place
    }

    /// Whether the navigation leads to second factors.
    pub(super) const fn has_factors(&self) -> bool {
        self.factors
    }
}
