//! The routes of the presets and the operator's own, as one map.

use super::diagnostic::Place;
use super::reader::Reader;
use crate::policy::{Conflict, Pattern, Route, RouteMap};

/// The presets' routes, save those that the operator wrote anew, then the operator's: a
/// conflict is told at the one that comes last.
pub(super) fn with_overrides(
    of_presets: impl Iterator<Item = Route>,
    own: Vec<Route>,
) -> Vec<Route> {
    let kept = of_presets.filter(|preset| !own.iter().any(|own| same_requests(own, preset)));
    let mut routes: Vec<Route> = kept.collect();
    routes.extend(own);
    routes
}

fn same_requests(a: &Route, b: &Route) -> bool {
    let all_in = |xs: &[Pattern], ys: &[Pattern]| {
        let same = |x: &Pattern, y: &Pattern| x.is_within(y) && y.is_within(x);
        xs.len() == ys.len() && xs.iter().all(|x| ys.iter().any(|y| same(x, y)))
    };
    a.methods.len() == b.methods.len()
        && a.methods.iter().all(|method| b.methods.contains(method))
        && a.hosts.len() == b.hosts.len()
        && a.hosts.iter().all(|host| b.hosts.contains(host))
        && all_in(&a.patterns, &b.patterns)
}

/// The map, if no two routes contradict each other.
pub(super) fn compile(reader: Reader<'_>, routes: Vec<Route>) -> Option<RouteMap> {
    RouteMap::compile(routes)
        .map_err(|conflicts| {
            for conflict in &conflicts {
                report_conflict(reader, conflict);
            }
        })
        .ok()
}

fn report_conflict(reader: Reader<'_>, conflict: &Conflict) {
    let origin = &conflict.second.origin;
    let place = Place {
        line: origin.line,
        column: origin.column,
    };
    let help = if conflict.same {
        "remove one; to replace a preset's route, write its methods and pattern as the preset does"
    } else {
        "add a route for what they share"
    };
    let reader = Reader {
        file: &origin.file,
        ..reader
    };
    reader.report(place, format!("{conflict}; {help}"));
}
