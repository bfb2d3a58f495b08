//! Names that each project has for itself: what is looked for by one, and what an answer shows.

use pingora::proxy::Session;

use super::{Captured, fail};
use crate::policy::namespace::{Choice, Home, NamePlace, put_sought};
use crate::policy::{AnswerRule, Denial, Route, Source};
use crate::proxy::exchange::Exchange;
use crate::proxy::gateway::Gateway;
use crate::proxy::rescue::Failure;

impl Captured {
    /// Writes the names of the project as its people know them. What cannot be read stays as it
    /// is: the backend's name means the same.
    pub(super) fn show_names(
        &mut self,
        exchange: &mut Exchange,
        route: &Route,
    ) -> pingora::Result<()> {
        let names = &route.objects.names;
        let Some(home) = exchange.home().filter(|_| !names.is_empty()) else {
            return Ok(());
        };
        self.decode(exchange)?;
        let Ok(text) = std::str::from_utf8(&self.body) else {
            return Ok(());
        };
        let shown = if self.head.status.is_success() {
            names.shown(&home, text)
        } else {
            Some(names.shown_error(&home, text))
        };
        if let Some(shown) = shown {
            self.body = shown.into();
        }
        Ok(())
    }
}

impl Gateway {
    /// The answer about an object that the caller may see; a refusal if there is none.
    ///
    /// Where it is sought by a name, the one of the project comes first, then one from before
    /// whose name is the backend's. Where no project counts, it must be in just one of the
    /// caller's.
    pub(super) async fn look_for(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        route: &Route,
        about: &AnswerRule,
    ) -> pingora::Result<Result<Captured, Denial>> {
        let names = &route.objects.names;
        let place = names.sought.as_ref();
        let sought = place.and_then(|place| Some((place, exchange.sought_name(route, place)?)));
        let Some((place, name)) = sought else {
            let mut answer = self.call(session, exchange).await?;
            let own = self
                .is_about_own(exchange, route, about, &mut answer)
                .await?;
            return Ok(own.then_some(answer).ok_or_else(Denial::resource_unknown));
        };
        let home = exchange.home();
        let choice = &exchange.learnt.names;
        let crowded = home.is_none() && choice.crowded;
        let ways = ways(route, place, &name, home.as_ref(), choice);
        let mut found: Option<Captured> = None;
        for name in ways {
            exchange
                .seek(route, place, &name)
                .map_err(|_| fail(exchange, Failure::Internal))?;
            let mut answer = self.call(session, exchange).await?;
            let own = self
                .is_about_own(exchange, route, about, &mut answer)
                .await?;
            if own && found.is_some() {
                return Ok(Err(Denial::project_ambiguous()));
            }
            if own {
                let last = home.is_some() || !answer.head.status.is_success();
                found = Some(answer);
                if last {
                    break;
                }
            }
        }
        let none = if crowded {
            Denial::project_required()
        } else {
            Denial::resource_unknown()
        };
        Ok(found.ok_or(none))
    }
}

/// The backend's names that the name may stand for.
fn ways(
    route: &Route,
    place: &NamePlace,
    name: &str,
    home: Option<&Home>,
    choice: &Choice,
) -> Vec<String> {
    let Some(namespace) = route.objects.names.namespace(&place.kind) else {
        return vec![name.to_owned()];
    };
    let homes = home.map_or(&*choice.others, std::slice::from_ref);
    let prefixes = homes
        .iter()
        .filter_map(|home| namespace.of(&home.tenant, &home.project));
    let mut ways: Vec<String> = prefixes.map(|prefix| prefix.put(name)).collect();
    if !ways.iter().any(|way| way == name) {
        ways.push(name.to_owned());
    }
    ways
}

impl Exchange {
    /// The name that the request gives.
    fn sought_name(&self, route: &Route, place: &NamePlace) -> Option<String> {
        let keys = route.objects.keys;
        let request = self.request.as_ref()?;
        let name = match &place.at {
            Source::Query(name) => request.query().single(name, keys).ok()??.into_owned(),
            _ => return None,
        };
        (!name.is_empty()).then_some(name)
    }

    fn seek(
        &mut self,
        route: &Route,
        place: &NamePlace,
        name: &str,
    ) -> Result<(), crate::policy::Malformed> {
        let Some(request) = &mut self.request else {
            return Ok(());
        };
        put_sought(&route.objects, place, name, request, None)
    }
}
