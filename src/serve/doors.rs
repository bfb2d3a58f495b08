//! The addresses that a gateway listens on.

use super::listener::{Bound, ListenError};
use super::upgrade::Inherited;
use crate::config::Settings;

/// All of them, bound: what can go wrong has gone right.
pub(super) struct Doors {
    /// In the order of the settings.
    pub(super) public: Vec<Bound>,
    pub(super) private: Bound,
}

impl Doors {
    /// Those of the settings: as they were handed over, else new ones.
    pub(super) fn bind(
        settings: &Settings,
        inherited: &mut Inherited,
    ) -> Result<Self, ListenError> {
        let mut bind = |role, address| match inherited.socket(role, address) {
            Some(socket) => Ok(Bound::inherited(address, socket)),
            None => Bound::new(address),
        };
        Ok(Self {
            public: settings
                .listen
                .iter()
                .map(|listen| bind("public", listen.address))
                .collect::<Result<_, _>>()?,
            private: bind("private", settings.private_listen)?,
        })
    }
}
