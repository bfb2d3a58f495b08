//! Either process may die at any moment of an upgrade.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::support::gateway::{TestGateway, until, yaml};
use crate::support::load;
use crate::support::raw::Answer;
use crate::support::upstream::Upstream;

const ROUTES: &str = "
  - { route: GET /things, upstream: app, permission: datasets:read }
  - { route: POST /things, upstream: app, permission: datasets:create }
";

/// The descriptors that the running gateway sends to whoever asks, and the line to it.
fn ask(gateway: &TestGateway) -> (UnixStream, Vec<OwnedFd>) {
    let place = gateway.data_dir().join("upgrade");
    let listener = UnixListener::bind(place.join("to-test")).unwrap();
    let mut control = UnixStream::connect(place.join("control")).unwrap();
    control.write_all(b"take over 1 to-test\n").unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut names = [0; 2048];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(&mut names)];
    recvmsg(&stream, &mut buffers, &mut ancillary, RecvFlags::empty()).unwrap();
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            fds.extend(sent);
        }
    }
    std::fs::remove_file(place.join("to-test")).unwrap();
    (control, fds)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_dies_with_the_sockets_in_its_hands() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    for words in ["", "take over 2 to-test\n", "take over 1 ../control\n"] {
        let control = gateway.data_dir().join("upgrade/control");
        let mut control = UnixStream::connect(control).unwrap();
        control.write_all(words.as_bytes()).unwrap();
    }
    let (control, fds) = ask(&gateway);
    // Two sockets and the lock of the spool.
    assert_eq!(fds.len(), 3);
    let answers = load::send(&gateway, 4, 50, |_| {
        load::request("GET", "/things", &keys.viewer)
    });
    assert_eq!(answers.len(), 200);
    drop((control, fds));
    until("word of it", || {
        gateway.log().matches("this process serves on").count() == 4
    });
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(gateway.upgrade().wait());
    gateway.wait_for_audit();
    assert_eq!(gateway.events().await.len(), 201);
    assert!(gateway.stop());
}

/// The former gateway is played by the test: it has the lock, and dies when asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_predecessor_that_dies_before_it_sends() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    let (lock, control) = play_predecessor(&gateway);
    let dies = std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        drop((control, lock, stream));
    });
    gateway.launch_with(&["serve", "--upgrade"]);
    dies.join().unwrap();
    let keys = gateway.seed();
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(gateway.upgrade().wait());
    assert!(gateway.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predecessor_that_dies_after_it_has_sent() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::prepare(&yaml(upstream.address(), ROUTES)).await;
    let (lock, control) = play_predecessor(&gateway);
    let [public, private] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = public.local_addr().unwrap();
    let place = gateway.data_dir().join("upgrade");
    let dies = std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let mut asked = String::new();
        BufReader::new(&stream).read_line(&mut asked).unwrap();
        let name = asked.trim().strip_prefix("take over 1 ").unwrap();
        let to = UnixStream::connect(place.join(name)).unwrap();
        let names = "public=127.0.0.1:0#0 private=127.0.0.1:0#0 spool-lock";
        let fds = [public.as_fd(), private.as_fd(), lock.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        let names = [IoSlice::new(names.as_bytes())];
        sendmsg(&to, &names, &mut ancillary, SendFlags::empty()).unwrap();
    });
    gateway.launch_with(&["serve", "--upgrade"]);
    dies.join().unwrap();
    assert_eq!(gateway.public(), address);
    let keys = gateway.seed();
    assert_eq!(gateway.get("/things", &keys.viewer).status, 200);
    assert!(gateway.fails_to_start().1.contains("of its own"));
    assert!(gateway.upgrade().wait());
    assert!(gateway.stop());
}

fn play_predecessor(gateway: &TestGateway) -> (File, UnixListener) {
    let (spool, place) = (
        gateway.data_dir().join("spool"),
        gateway.data_dir().join("upgrade"),
    );
    std::fs::create_dir_all(&spool).unwrap();
    std::fs::create_dir_all(&place).unwrap();
    let lock = File::create(spool.join("lock")).unwrap();
    lock.lock().unwrap();
    (lock, UnixListener::bind(place.join("control")).unwrap())
}

/// Whatever was answered has its one event, whoever was killed on the way.
#[tokio::test(flavor = "multi_thread")]
async fn kills_on_the_way_lose_and_double_no_event() {
    let upstream = Upstream::ok();
    let mut gateway = TestGateway::start(&yaml(upstream.address(), ROUTES)).await;
    let keys = gateway.seed();
    let mut answers: Vec<Answer> = Vec::new();
    let mut ask = |gateway: &TestGateway| {
        let write = |number: usize| match number % 2 {
            0 => load::request("GET", "/things", &keys.viewer),
            _ => load::request("POST", "/things", &keys.editor),
        };
        let answered = load::send(gateway, 4, 25, write);
        assert_eq!(answered.len(), 100);
        answers.extend(answered);
    };
    for _ in 0..3 {
        ask(&gateway);
        // The old one as soon as it is relieved, with its events perhaps unsent.
        gateway.upgrade().kill();
        ask(&gateway);
        // The new one while it prepares, or takes over.
        gateway.postgres.stop();
        let successor = gateway.begin_upgrade("waiting for the database");
        ask(&gateway);
        gateway.postgres.restart().await;
        successor.kill();
        ask(&gateway);
        // Both.
        gateway.upgrade().kill();
        gateway.kill();
        gateway.launch();
    }
    gateway.wait_for_audit();
    until("what others left to be adopted", || {
        gateway.generations() == 1 && gateway.metric("portcullis_audit_spool_events") == 0
    });
    let events = gateway.events().await;
    let mut audited: Vec<_> = events
        .iter()
        .map(|event| event["request_id"].as_str().unwrap().to_owned())
        .collect();
    let mut answered = load::request_ids(&answers);
    audited.sort();
    answered.sort();
    assert_eq!(audited, answered);
    assert!(gateway.stop());
}
