//! A change is noticed however it is made, without a signal.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::gateway::{TestGateway, until};

fn answering(body: &str) -> String {
    format!(
        "routes: [{{ route: GET /, public: 'for a test', respond: {{ body: {{ is: {body} }} }} }}]\n"
    )
}

fn is(gateway: &TestGateway) -> String {
    let answer = gateway.raw("GET / HTTP/1.1\r\nHost: gw\r\n\r\n").unwrap();
    answer.json()["is"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_by_rename_and_gone_for_a_while() {
    let gateway = TestGateway::start(&answering("one")).await;
    assert_eq!(is(&gateway), "one");

    gateway.configure(&answering("two"));
    until("the file written in place", || is(&gateway) == "two");

    let beside = gateway.config().with_extension("new");
    fs::write(&beside, gateway.full(&answering("three"))).unwrap();
    fs::rename(&beside, gateway.config()).unwrap();
    until("the file renamed over it", || is(&gateway) == "three");

    fs::remove_file(gateway.config()).unwrap();
    until("word of the missing file", || {
        gateway.reloads("failed") == 1
    });
    assert_eq!(is(&gateway), "three");
    assert!(gateway.log().contains("cannot read"), "{}", gateway.log());
    gateway.configure(&answering("four"));
    until("the file that is there again", || is(&gateway) == "four");
    assert_eq!(gateway.reloads("success"), 3);
}

/// As Kubernetes changes a mounted `ConfigMap`: the file is a link through `..data`,
/// which is replaced by a link to a new directory.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_far_above_the_file() {
    let mut gateway = TestGateway::prepare(&answering("one")).await;
    let volume = gateway.config().with_file_name("volume");
    let put = |version: &str, yaml: &str| {
        fs::create_dir_all(volume.join(version)).unwrap();
        let file = volume.join(version).join("portcullis.yaml");
        fs::write(file, gateway.full(yaml)).unwrap();
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    put("..v1", &answering("one"));
    fs::remove_file(gateway.config()).unwrap();
    symlink(Path::new("volume/..data/portcullis.yaml"), gateway.config()).unwrap();
    gateway.launch();
    assert_eq!(is(&gateway), "one");
    let put = |version: &str, yaml: &str| {
        fs::create_dir_all(volume.join(version)).unwrap();
        let file = volume.join(version).join("portcullis.yaml");
        fs::write(file, gateway.full(yaml)).unwrap();
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
        fs::remove_dir_all(volume.join("..v1")).unwrap();
    };
    put("..v2", &answering("two"));
    until("the link", || is(&gateway) == "two");
}

/// The same bytes anew are no change.
#[tokio::test(flavor = "multi_thread")]
async fn a_touched_file_is_left_alone() {
    let gateway = TestGateway::start(&answering("one")).await;
    gateway.configure(&answering("one"));
    gateway.configure(&answering("two"));
    until("the change", || is(&gateway) == "two");
    assert_eq!(gateway.reloads("success"), 1);
}
