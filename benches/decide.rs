//! Measures what a decision costs in memory alone: finding the route and deciding, with many
//! routes and many bindings; the owner of an object from its cache; the role table itself.
//!
//! `cargo bench --bench decide`; it needs nothing else. Figures are
//! medians of batches, in processor time.

#[path = "hot_path/rows.rs"]
mod rows;
#[path = "hot_path/world.rs"]
mod world;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use portcullis::cache::OwnerCache;
use portcullis::domain::{Catalogue, PolicyRows, ResourceKey, TouchedRows};
use portcullis::policy::{Decision, RoleTable};

use self::rows::{EACH, binding, owner, projects, rows};
use self::world::{READ, Result, World};

const BATCHES: usize = 51;
const BATCH: u32 = 20_000;
/// DESIGN: route and permission together, whatever the numbers.
const TARGET: Duration = Duration::from_micros(1);

fn main() -> Result<()> {
    let catalogue = Catalogue::new([READ.parse()?]);
    let read = catalogue
        .index(&READ.parse()?)
        .ok_or("no such permission")?;
    println!("route and decision, one object named, its owner at hand (target {TARGET:?}):");
    let mut worst = Duration::ZERO;
    for bindings in [10, 1_000, 100_000, 1_000_000] {
        let before = resident()?;
        let table = Arc::new(RoleTable::build(rows(bindings), &catalogue).0);
        if bindings == 1_000_000 {
            table_alone(&table, bindings, before, &catalogue)?;
        }
        for routes in [10, 300, 10_000] {
            let world = World::new(Arc::clone(&table), routes, bindings, read)?;
            let each = measure(&world)?;
            worst = worst.max(each);
            println!("  {routes:>6} routes, {bindings:>9} bindings: {each:?}");
        }
    }
    println!("  the slowest: {worst:?}, met: {}", worst <= TARGET);
    owner_cache()
}

/// The median of batches, each divided by its length.
fn median(mut work: impl FnMut()) -> Result<Duration> {
    let mut batches = Vec::new();
    for _ in 0..BATCHES {
        let begin = spent()?;
        (0..BATCH).for_each(|_| work());
        batches.push(spent()?.saturating_sub(begin) / BATCH);
    }
    batches.sort();
    Ok(batches[BATCHES / 2])
}

/// Processor time of this thread: others on the machine do not count.
fn spent() -> Result<Duration> {
    // The kernel adds up when it is asked for another thread.
    std::thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = told.split(' ').next().ok_or("no number")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

fn measure(world: &World) -> Result<Duration> {
    if let Decision::Denied(denial, _) = world.ask() {
        return Err(denial.code().into());
    }
    median(|| {
        black_box(world.ask());
    })
}

fn table_alone(
    table: &RoleTable,
    bindings: usize,
    before: u64,
    catalogue: &Catalogue,
) -> Result<()> {
    let taken = resident()?.saturating_sub(before);
    let projects = projects(bindings);
    let each = taken / u64::try_from(bindings)?;
    println!(
        "  role table of {bindings} bindings, {} principals, {projects} projects: {each} bytes a binding",
        bindings / EACH,
    );
    let one = binding(0, bindings);
    let touched = TouchedRows::Bindings(vec![one.id]);
    let mut changes = Vec::new();
    for _ in 0..BATCHES {
        let rows = PolicyRows {
            bindings: vec![one.clone()],
            ..PolicyRows::default()
        };
        let begin = spent()?;
        let next = table.changed(2, &touched, rows, catalogue);
        changes.push(spent()?.saturating_sub(begin));
        next.ok_or("a change that cannot be made")?;
    }
    changes.sort();
    println!("  one binding of it changed: {:?}", changes[BATCHES / 2]);
    Ok(())
}

fn owner_cache() -> Result<()> {
    const HELD: usize = 100_000;
    let cache = OwnerCache::new(Duration::from_hours(1));
    let keys: Vec<_> = (0..HELD).map(key).collect();
    for (at, key) in keys.iter().enumerate() {
        cache.fill(cache.epoch(), key, Some(owner(at)), 0);
    }
    let mut at = 0;
    let hit = median(|| {
        at = (at + 7919) % HELD;
        black_box(cache.get(&keys[at], 1, 5));
    })?;
    println!("an owner from the cache, of {HELD}: {hit:?}");
    Ok(())
}

fn key(n: usize) -> ResourceKey {
    ResourceKey {
        upstream: "app".into(),
        kind: "model".into(),
        id: format!("model-{n}").into(),
    }
}

/// Resident memory, in bytes.
fn resident() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("no number")?.parse()?;
    Ok(pages * 4096)
}
