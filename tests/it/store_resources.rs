//! Objects of backends: whose they are, and who hears when that changes.

use std::time::Duration;

use portcullis::domain::{Effect, ProjectId, ResourceKey, TenantId};
use portcullis::store::{
    AuditFilter, BindingPlace, ChangeListener, Changed, NewBinding, NewResource, ResourceFilter,
    StoreError, TouchedResources,
};

use crate::support::store::{TestStore, refusal, run};

const PATIENCE: Duration = Duration::from_secs(20);

fn key(kind: &str, id: &str) -> ResourceKey {
    ResourceKey {
        upstream: "mlflow".into(),
        kind: kind.into(),
        id: id.into(),
    }
}

fn new(key: &ResourceKey, labels: &[(&str, &str)]) -> NewResource {
    let labels = labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    NewResource {
        key: key.clone(),
        labels: labels.collect(),
    }
}

async fn place(store: &TestStore, path: &str) -> (TenantId, ProjectId) {
    let (tenant, project) = store.db.project(&path.parse().unwrap()).await.unwrap();
    (tenant.id, project.id)
}

async fn record(store: &mut TestStore, path: &str, keys: &[&ResourceKey]) {
    let (tenant, project) = place(store, path).await;
    let new: Vec<_> = keys.iter().map(|key| new(key, &[])).collect();
    let TestStore { db, author, .. } = store;
    let recorded = db.record_resources(author, tenant, project, &new).await;
    assert_eq!(recorded.unwrap().len(), keys.len());
}

async fn heard(listener: &mut ChangeListener) -> Changed {
    let next = tokio::time::timeout(PATIENCE, listener.next());
    next.await.expect("no notification came").unwrap().what
}

async fn events(store: &TestStore) -> Vec<String> {
    let events = store.db.audit(&AuditFilter::default(), 100).await.unwrap();
    events.into_iter().map(|event| event.event).collect()
}

fn viewer_on(key: &ResourceKey, effect: Effect, condition: Option<&str>) -> NewBinding {
    NewBinding {
        place: BindingPlace::Resource(key.clone()),
        principal: "bob@example.com".parse().unwrap(),
        role: "viewer".to_owned(),
        effect,
        condition: condition.map(str::to_owned),
    }
}

#[tokio::test]
async fn an_object_belongs_to_the_project_that_recorded_it_first() {
    let mut store = TestStore::with_names().await;
    let (one, two) = (key("experiment", "1"), key("experiment", "2"));
    record(&mut store, "acme/fraud", &[&one]).await;
    record(&mut store, "acme/fraud", &[&one]).await;
    let before = events(&store).await;
    let (tenant, project) = place(&store, "globex/churn").await;
    let both = [new(&two, &[]), new(&one, &[])];
    let TestStore { db, author, .. } = &mut store;
    let refused = db.record_resources(author, tenant, project, &both).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    let owners = db.owners(&[two.clone(), one.clone()]).await.unwrap();
    assert_eq!(owners[0], None, "none of them or all");
    let (_, fraud) = place(&store, "acme/fraud").await;
    assert_eq!(owners[1].as_ref().unwrap().project, fraud);
    let orphans = store.db.orphans(&[one, two.clone()]).await.unwrap();
    assert_eq!(orphans, [two]);
    assert_eq!(events(&store).await, before, "the request's event tells");
}

#[tokio::test]
async fn the_same_id_in_another_backend_or_of_another_type_is_another_object() {
    let mut store = TestStore::with_names().await;
    let mut elsewhere = key("run", "1");
    elsewhere.upstream = "other".into();
    record(&mut store, "acme/fraud", &[&key("run", "1")]).await;
    record(
        &mut store,
        "globex/churn",
        &[&elsewhere, &key("model", "1")],
    )
    .await;
    let keys = [
        key("run", "1"),
        elsewhere,
        key("model", "1"),
        key("Run", "1"),
    ];
    let owners = store.db.owners(&keys).await.unwrap();
    let projects: Vec<_> = owners
        .iter()
        .map(|o| o.as_ref().map(|o| o.project))
        .collect();
    assert_ne!(projects[0], projects[1]);
    assert_eq!(projects[1], projects[2]);
    assert_eq!(projects[3], None);
}

#[tokio::test]
async fn a_renamed_object_keeps_its_record() {
    let mut store = TestStore::with_names().await;
    let (old, renamed, taken) = (key("model", "a"), key("model", "b"), key("model", "c"));
    record(&mut store, "acme/fraud", &[&old, &taken]).await;
    let before = store.db.owners(std::slice::from_ref(&old)).await.unwrap();
    assert!(store.db.rename_resource(&old, "b").await.unwrap());
    assert!(!store.db.rename_resource(&old, "b").await.unwrap());
    let after = store.db.owners(&[renamed.clone(), old]).await.unwrap();
    assert_eq!((&after[0], &after[1]), (&before[0], &None));
    let conflict = store.db.rename_resource(&renamed, "c").await;
    assert!(matches!(conflict, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn a_forgotten_object_takes_its_bindings_along() {
    let mut store = TestStore::with_names().await;
    let (one, two) = (key("model", "1"), key("model", "2"));
    record(&mut store, "acme/fraud", &[&one, &two]).await;
    let TestStore { db, author, .. } = &mut store;
    for binding in [
        viewer_on(&one, Effect::Allow, None),
        viewer_on(&one, Effect::Deny, Some("resource.stage == 'live'")),
        viewer_on(&two, Effect::Allow, None),
    ] {
        db.bind(author, &binding).await.unwrap();
        let again = db.bind(author, &binding).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    let version = db.policy_version().await.unwrap();
    let keys = [one.clone(), key("model", "9")];
    let gone = db.forget_resources(author, &keys);
    assert_eq!(gone.await.unwrap(), 1);
    assert_eq!(db.policy_version().await.unwrap(), version + 1);
    let at = |key: &ResourceKey| BindingPlace::Resource(key.clone());
    assert_eq!(db.members_at(Some(&at(&two))).await.unwrap().len(), 1);
    let missing = db.members_at(Some(&at(&one))).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
    db.forget_resource(author, &two).await.unwrap();
    let told = events(&store).await;
    let times = |event: &str| told.iter().filter(|each| *each == event).count();
    assert_eq!(times("member.removed"), 3);
    assert_eq!(
        times("resource.released"),
        1,
        "the other was the request's to tell"
    );
}

#[tokio::test]
async fn an_object_moves_within_its_tenant_only_and_without_its_bindings() {
    let mut store = TestStore::with_names().await;
    let one = key("model", "1");
    record(&mut store, "acme/fraud", &[&one]).await;
    let TestStore { db, author, .. } = &mut store;
    let ann = "ann@example.com".parse().unwrap();
    let pricing = "acme/pricing".parse().unwrap();
    db.create_project(author, &pricing, "x", &ann)
        .await
        .unwrap();
    let allow = viewer_on(&one, Effect::Allow, None);
    db.bind(author, &allow).await.unwrap();
    let churn = "globex/churn".parse().unwrap();
    let refused = db.move_resource(author, &one, &churn).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    db.move_resource(author, &one, &pricing).await.unwrap();
    let again = db.move_resource(author, &one, &pricing).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    assert!(db.members_at(Some(&allow.place)).await.unwrap().is_empty());
    let (_, project) = db.project(&pricing).await.unwrap();
    assert_eq!(db.resource(&one).await.unwrap().project, project.id);
    // Nor by SQL.
    let steal = "UPDATE resources r SET project_id = p.id FROM projects p WHERE p.slug = 'churn'";
    let mut gateway = store.as_gateway().await;
    let answer = refusal(&mut gateway, steal).await;
    assert!(answer.contains("resources_project_of_tenant"), "{answer}");
}

#[tokio::test]
async fn objects_are_listed_page_by_page() {
    let mut store = TestStore::with_names().await;
    let keys: Vec<_> = (0..25).map(|n| key("run", &format!("{n:02}"))).collect();
    record(&mut store, "acme/fraud", &keys.iter().collect::<Vec<_>>()).await;
    record(&mut store, "globex/churn", &[&key("run", "x")]).await;
    record(&mut store, "acme/fraud", &[&key("model", "m")]).await;
    let (tenant, project) = place(&store, "acme/fraud").await;
    let mut filter = ResourceFilter {
        project: Some(project),
        kind: Some("run".to_owned()),
        ..ResourceFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = store.db.resources(&filter, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some(last.key());
        seen.extend(page.iter().map(portcullis::store::ListedResource::key));
    }
    assert_eq!(seen, keys);
    let of_tenant = ResourceFilter {
        tenant: Some(tenant),
        ..ResourceFilter::default()
    };
    assert_eq!(store.db.resources(&of_tenant, 100).await.unwrap().len(), 26);
    let all = store.db.resources(&ResourceFilter::default(), 100).await;
    assert_eq!(all.unwrap().len(), 27);
}

#[tokio::test]
async fn labels_follow_the_last_word() {
    let mut store = TestStore::with_names().await;
    let one = key("model", "1");
    let (tenant, project) = place(&store, "acme/fraud").await;
    let TestStore { db, author, .. } = &mut store;
    for stage in ["staging", "production"] {
        let new = [new(&one, &[("environment", stage)])];
        db.record_resources(author, tenant, project, &new)
            .await
            .unwrap();
        let owners = db.owners(std::slice::from_ref(&one)).await.unwrap();
        assert_eq!(owners[0].as_ref().unwrap().labels["environment"], stage);
    }
    let labels = [("tier".to_owned(), "gold".to_owned())].into();
    db.label_resource(author, &one, &labels).await.unwrap();
    assert_eq!(db.resource(&one).await.unwrap().labels, labels);
    for bad in [
        r#"{"a": 1}"#,
        r#"{"a": {"b": "c"}}"#,
        r#"["a"]"#,
        r#"{"a": null}"#,
    ] {
        let mut owner = store.postgres.owner().await;
        let sql = sqlx::query("UPDATE resources SET labels = $1::text::jsonb").bind(bad);
        let refused = sql.execute(&mut owner).await.unwrap_err().to_string();
        assert!(
            refused.contains("resources_labels_check"),
            "{bad}: {refused}"
        );
    }
}

#[tokio::test]
async fn adoption_is_a_change_with_an_event() {
    let mut store = TestStore::with_names().await;
    let to = "acme/fraud".parse().unwrap();
    let TestStore { db, author, .. } = &mut store;
    let adopted = [new(&key("run", "1"), &[]), new(&key("run", "2"), &[])];
    db.adopt_resources(author, &to, &adopted).await.unwrap();
    let adopted_only = AuditFilter {
        event: Some("resources.adopted".to_owned()),
        ..AuditFilter::default()
    };
    let told = db.audit(&adopted_only, 9).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].details["count"], 2);
    let other = "globex/churn".parse().unwrap();
    let refused = db.adopt_resources(author, &other, &adopted).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn ids_that_no_index_could_hold_are_refused() {
    let mut store = TestStore::with_names().await;
    let (tenant, project) = place(&store, "acme/fraud").await;
    let TestStore { db, author, .. } = &mut store;
    for (id, fits) in [
        ("ä".repeat(512), true),
        ("ä".repeat(513), false),
        (String::new(), false),
    ] {
        let new = [new(&key("run", &id), &[])];
        let recorded = db.record_resources(author, tenant, project, &new).await;
        match recorded {
            Ok(_) => assert!(fits, "{}", id.len()),
            Err(StoreError::Refused(_)) => assert!(!fits, "{}", id.len()),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn changes_are_told_by_name_and_leave_the_version() {
    let mut store = TestStore::with_names().await;
    let mut listener = store.db.listen().await.unwrap();
    let version = store.db.policy_version().await.unwrap();
    let one = key("model", "a \"quoted\" name");
    let these = |keys: &[&ResourceKey]| {
        let keys = keys.iter().map(|key| (*key).clone()).collect();
        Changed::Resources(TouchedResources::These(keys))
    };
    record(&mut store, "acme/fraud", &[&one]).await;
    assert_eq!(heard(&mut listener).await, these(&[&one]));
    let renamed = key("model", "b");
    store.db.rename_resource(&one, "b").await.unwrap();
    let both = [heard(&mut listener).await, heard(&mut listener).await];
    assert!(both.contains(&these(&[&one])) && both.contains(&these(&[&renamed])));
    let TestStore { db, author, .. } = &mut store;
    db.forget_resources(author, std::slice::from_ref(&renamed))
        .await
        .unwrap();
    assert_eq!(heard(&mut listener).await, these(&[&renamed]));
    assert_eq!(store.db.policy_version().await.unwrap(), version);
}

#[tokio::test]
async fn changes_of_very_many_are_told_by_type_or_not_at_all() {
    let store = TestStore::with_names().await;
    let mut listener = store.db.listen().await.unwrap();
    let mut owner = store.as_owner().await;
    let many =
        "INSERT INTO resources (id, tenant_id, project_id, upstream, type, external_id, created_by)
        SELECT gen_random_uuid(), p.tenant_id, p.id, 'mlflow', 'run', i::text, 'test'
        FROM projects p, generate_series(1, 5000) i WHERE p.slug = 'fraud'";
    run(&mut owner, many).await.unwrap();
    let run_of_mlflow = TouchedResources::OfType {
        upstream: "mlflow".into(),
        kind: "run".into(),
    };
    assert_eq!(
        heard(&mut listener).await,
        Changed::Resources(run_of_mlflow)
    );
    let wide =
        "UPDATE resources SET labels = '{}', external_id = repeat(chr(1), 1000) || external_id
        WHERE external_id::integer <= 20";
    run(&mut owner, wide).await.unwrap();
    for _ in 0..2 {
        let Changed::Resources(told) = heard(&mut listener).await else {
            panic!("of resources");
        };
        assert!(!matches!(told, TouchedResources::Any));
    }
    let kinds = "UPDATE resources SET external_id = external_id || 'x' WHERE false;
        INSERT INTO resources (id, tenant_id, project_id, upstream, type, external_id, created_by)
        SELECT gen_random_uuid(), p.tenant_id, p.id, 'mlflow', 'type' || i, '1', 'test'
        FROM projects p, generate_series(1, 21) i WHERE p.slug = 'fraud'";
    run(&mut owner, kinds).await.unwrap();
    let any = Changed::Resources(TouchedResources::Any);
    assert_eq!(heard(&mut listener).await, any);
}

#[tokio::test]
async fn a_binding_on_an_object_is_read_with_all_that_it_says() {
    let mut store = TestStore::with_names().await;
    let one = key("model", "1");
    record(&mut store, "acme/fraud", &[&one]).await;
    let TestStore { db, author, .. } = &mut store;
    let deny = viewer_on(&one, Effect::Deny, Some("true"));
    let id = db.bind(author, &deny).await.unwrap();
    let policy = db.load_policy().await.unwrap();
    let binding = policy.bindings.iter().find(|each| each.id == id).unwrap();
    let (_, project) = db.project(&"acme/fraud".parse().unwrap()).await.unwrap();
    let scope = portcullis::domain::Scope::Resource {
        project: project.id,
        id: db.resource(&one).await.unwrap().id,
    };
    assert_eq!(binding.scope, scope);
    assert_eq!(binding.effect, Effect::Deny);
    assert_eq!(binding.condition.as_deref(), Some("true"));
    let listed = db.members(None).await.unwrap();
    let listed = listed.iter().find(|each| each.binding == Some(id)).unwrap();
    assert_eq!(listed.resource.as_ref(), Some(&one));
    db.unbind(author, &deny).await.unwrap();
    let mut tenant_wide = deny.clone();
    tenant_wide.role = "client_admin".to_owned();
    let refused = db.bind(author, &tenant_wide).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_last_superadmin_cannot_be_denied() {
    let mut store = TestStore::with_names().await;
    let mut deny = NewBinding::plain(
        &"platform".parse().unwrap(),
        &"root@example.com".parse().unwrap(),
        "superadmin",
    );
    deny.effect = Effect::Deny;
    let TestStore { db, author, .. } = &mut store;
    let refused = db.bind(author, &deny).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
}
