//! `sign_in:`.

use std::time::Duration;

use chrono::TimeDelta;

use super::reader::{Fields, Reader};
use super::settings::SignIn;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

pub(super) fn read(reader: Reader<'_>, parent: &Fields<'_>) -> Option<SignIn> {
    let node = parent.get("sign_in")?;
    let fields = reader.fields(node, &["idle", "lifetime"])?;
    let idle = fields.duration("idle", &(MINUTE..=DAY * 30), DAY);
    let lifetime = fields.duration("lifetime", &(MINUTE..=DAY * 90), DAY * 7);
    Some(SignIn {
        idle: TimeDelta::from_std(idle).ok()?,
        lifetime: TimeDelta::from_std(lifetime).ok()?,
    })
}
